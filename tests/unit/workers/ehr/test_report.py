"""One effect per delivery: every way of writing, every way of losing an answer, and never a second report."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.domain import hooks
from gateway.domain.delivery import Receipt
from gateway.domain.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    Full,
    Invalid,
    Permanent,
    Transient,
    Unanswered,
    Unavailable,
)
from tests.core import Clock
from tests.unit.workers.ehr.double import (
    ADDRESS,
    ALL,
    NOW,
    PATIENT_IDENTIFIER,
    PDF,
    REPORT_IDENTIFIER,
    Answerer,
    EhrDouble,
    answers,
    fails_with,
    report,
)
from workers.ehr.capability import KEPT_FOR, CapabilityCache
from workers.ehr.client import Wiring
from workers.ehr.report import deliver_report

SEARCHING = ("create", "read", "search-type")
LOST_ANSWERS = [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError]


def deliver(ehr: EhrDouble, *, status: str = "final", pdf: bytes = PDF, **more: Any) -> Receipt:
    options = {"before_send": lambda: None, "wiring": ehr.wiring, **more}
    return deliver_report(
        ADDRESS,
        lambda subject: report(subject, status=status, pdf=pdf),
        identifier=REPORT_IDENTIFIER,
        patient_identifiers=[PATIENT_IDENTIFIER],
        resource_id="ours-1",
        **options,
    )


@pytest.fixture(params=["conditional create", "update create", "search, then create"])
def ehr(request: pytest.FixtureRequest) -> EhrDouble:
    """Each kind of EHR with which exactly one report can be promised."""
    if request.param == "conditional create":
        return EhrDouble(conditional_create=True)
    if request.param == "update create":
        return EhrDouble(interactions=("read", "update"), update_create=True)
    return EhrDouble(interactions=SEARCHING)


def test_a_delivered_report_is_read_back_and_receipted(ehr: EhrDouble) -> None:
    receipt = deliver(ehr)

    (stored,) = ehr.reports.values()
    assert stored["subject"]["reference"] == "Patient/p1"
    assert receipt == Receipt(
        NOW, "HTTP 201", f"DiagnosticReport/{stored['id']}/_history/1", hashlib.sha256(PDF).hexdigest(), ""
    )
    assert ehr.methods()[-1] == f"GET DiagnosticReport/{stored['id']}"


def test_what_an_ehr_offers_is_asked_once_a_minute(ehr: EhrDouble) -> None:
    cache, clock = CapabilityCache(), Clock(NOW)
    wiring = Wiring(transport=ehr.wiring.transport, clock=clock)
    for forward_s in (0, KEPT_FOR.total_seconds() - 1, 1):
        clock.forward(seconds=forward_s)
        deliver(ehr, wiring=wiring, capabilities=cache)
    assert ehr.methods().count("GET metadata") == 2


def test_after_a_refusal_it_is_asked_anew(ehr: EhrDouble) -> None:
    cache = CapabilityCache()
    deliver(ehr, capabilities=cache)
    ehr.instead_of_write, ehr.reports = [answers(422)], {}
    with pytest.raises(Permanent):
        deliver(ehr, capabilities=cache)
    deliver(ehr, capabilities=cache)
    assert ehr.methods().count("GET metadata") == 2


def test_so_it_is_where_an_earlier_attempt_ended_unclear(ehr: EhrDouble) -> None:
    cache = CapabilityCache()
    for is_unclear in (False, True):
        deliver(ehr, capabilities=cache, read_back_first=is_unclear)
    assert ehr.methods().count("GET metadata") == 2


def test_a_second_delivery_finds_the_first(ehr: EhrDouble) -> None:
    first = deliver(ehr)
    second = deliver(ehr)

    assert len(ehr.reports) == 1
    assert (second.reference, second.note) == (first.reference, "was there already")


@pytest.mark.parametrize("error", LOST_ANSWERS)
def test_a_lost_answer_to_a_stored_write_ends_with_one_report(
    ehr: EhrDouble, error: type[httpx.TransportError]
) -> None:
    ehr.after_write = [fails_with(error)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    receipt = deliver(ehr, read_back_first=True)

    assert len(ehr.reports) == 1
    assert receipt.note == "was there already"


def test_a_lost_answer_to_a_write_that_was_not_stored_ends_with_one_report(ehr: EhrDouble) -> None:
    ehr.instead_of_write = [fails_with(httpx.ReadTimeout)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    assert not ehr.reports
    deliver(ehr, read_back_first=True)

    assert len(ehr.reports) == 1


def _as_found(message: httpx.Request) -> bool:
    return message.method == "GET" or message.url.path.endswith("_search")


def test_no_answer_that_was_kept_for_somebody_is_believed_in_a_look(ehr: EhrDouble) -> None:
    deliver(ehr, read_back_first=True)

    looks = [one for one in ehr.requests if "DiagnosticReport" in one.url.path and _as_found(one)]
    assert looks
    assert {one.headers.get("cache-control") for one in looks} == {"no-cache"}


@pytest.mark.parametrize(
    "end",
    [fails_with(httpx.ReadTimeout), answers(500), answers(502, Retry_After="5"), answers(201)],
    ids=["no answer", "500", "502", "201 and not there"],
)
def test_where_only_a_search_can_look_its_index_is_given_time_after_an_unclear_write(end: Answerer) -> None:
    ehr = EhrDouble(interactions=("create", "search-type"))
    ehr.instead_of_write = [end]

    with pytest.raises(Ambiguous) as caught:
        deliver(ehr, wiring=replace(ehr.wiring, look_again_after_s=90.0))
    assert caught.value.retry_after_s == 90


def test_a_longer_wish_of_the_ehr_itself_stands() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.instead_of_write = [answers(502, Retry_After="120")]

    with pytest.raises(Unanswered) as caught:
        deliver(ehr)
    assert caught.value.retry_after_s == 120


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_ehr_is_asked_again_when_it_wishes(ehr: EhrDouble, status: int) -> None:
    ehr.instead_of_write = [answers(status, Retry_After="120")]

    with pytest.raises((Transient, Ambiguous)) as caught:
        deliver(ehr)
    assert isinstance(caught.value, Transient | Ambiguous)
    assert caught.value.retry_after_s == 120
    deliver(ehr, read_back_first=isinstance(caught.value, Ambiguous))

    assert len(ehr.reports) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, Ambiguous), (502, Unanswered), (504, Unanswered), (507, Ambiguous)]
)
@pytest.mark.parametrize("interactions", [SEARCHING, ("create", "search-type"), ("create", "read"), ("create",)])
def test_a_create_that_is_no_condition_is_unclear_after_a_server_error(
    interactions: tuple[str, ...], status: int, error: type[Exception]
) -> None:
    ehr = EhrDouble(interactions=interactions)
    ehr.after_write = [answers(status)]

    with pytest.raises(error, match=f"^The EHR answered HTTP {status}; the report may have been stored") as caught:
        deliver(ehr)
    assert type(caught.value) is error
    assert len(ehr.reports) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("strategy", ["conditional create", "update create"])
def test_a_write_that_does_no_harm_twice_is_simply_repeated(strategy: str, status: int) -> None:
    is_conditional = strategy == "conditional create"
    interactions = ALL if is_conditional else ("read", "update")
    ehr = EhrDouble(interactions=interactions, conditional_create=is_conditional, update_create=not is_conditional)
    ehr.after_write = [answers(status)]

    with pytest.raises(Transient):
        deliver(ehr)
    deliver(ehr)

    assert len(ehr.reports) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_ehr_that_says_it_cannot_now_has_done_nothing(status: int) -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.instead_of_write = [answers(status)]

    with pytest.raises(Unavailable):
        deliver(ehr)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_without_a_connection_nothing_was_sent(ehr: EhrDouble, error: type[httpx.TransportError]) -> None:
    ehr.instead_of_write = [fails_with(error)]

    with pytest.raises(Transient, match="nothing was sent"):
        deliver(ehr)


def test_a_grant_that_ended_stops_the_report(ehr: EhrDouble) -> None:
    permitted = iter([True])  # the Patient search, and nothing after it

    def before_send() -> None:
        if not next(permitted, False):
            raise Forbidden("revoked")

    with pytest.raises(Forbidden):
        deliver(ehr, before_send=before_send)

    assert not ehr.reports
    assert not [each for each in ehr.requests if each.method == "PUT" or each.url.path.endswith("DiagnosticReport")]


def test_each_request_with_patient_data_asks_the_grant_just_before_it(ehr: EhrDouble) -> None:
    seen: list[int] = []
    deliver(ehr, before_send=lambda: seen.append(len(ehr.requests)))

    personal = [index for index, each in enumerate(ehr.requests) if each.method != "GET"]
    assert seen == personal


def test_no_patient_number_stands_in_a_url(ehr: EhrDouble) -> None:
    deliver(ehr)

    assert all("4711" not in str(each.url) for each in ehr.requests)


@pytest.mark.parametrize(
    ("dropped", "told"),
    [
        ("presentedForm", "without its PDF"),
        ("identifier", "without its identifier"),
        ("subject", "without its patient"),
        ("status", "with another status"),
    ],
)
def test_silently_dropped_fields_are_noticed(ehr: EhrDouble, dropped: str, told: str) -> None:
    ehr.shape = lambda resource: {name: value for name, value in resource.items() if name != dropped}

    with pytest.raises(Permanent, match=told):
        deliver(ehr)


def test_a_report_under_another_patient_is_noticed(ehr: EhrDouble) -> None:
    ehr.shape = lambda resource: {**resource, "subject": {"reference": "Patient/p2"}}

    with pytest.raises(Permanent, match="under another patient"):
        deliver(ehr)


def test_a_write_that_was_answered_and_lost_is_unclear(ehr: EhrDouble) -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        ehr.reports.clear()
        return httpx.Response(201, headers={"Location": "DiagnosticReport/s1"})

    ehr.after_write = [lose]

    with pytest.raises(Ambiguous, match="not there when read back"):
        deliver(ehr)


def test_a_pdf_that_the_ehr_moved_to_a_binary_is_fetched(ehr: EhrDouble) -> None:
    def move(resource: dict[str, Any]) -> dict[str, Any]:
        ehr.binaries["b1"] = PDF
        form = {"contentType": "application/pdf", "url": "http://inner-name:8080/r4/Binary/b1"}
        return {**resource, "presentedForm": [form]}

    ehr.shape = move

    assert deliver(ehr).status == "HTTP 201"
    assert ehr.requests[-1].url.host == "ehr.clinic.example"


def test_an_attachment_on_another_host_is_never_fetched(ehr: EhrDouble) -> None:
    form = {"contentType": "application/pdf", "url": "https://elsewhere.example/steal?x=1"}
    ehr.shape = lambda resource: {**resource, "presentedForm": [form]}

    with pytest.raises(Permanent, match="one that cannot be read"):
        deliver(ehr)

    assert {each.url.host for each in ehr.requests} == {"ehr.clinic.example"}


def test_a_foreign_location_is_not_followed() -> None:
    ehr = EhrDouble(conditional_create=True)

    def point_elsewhere(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, headers={"Location": "https://elsewhere.example/DiagnosticReport/s1/_history/1"})

    ehr.after_write = [point_elsewhere]

    assert deliver(ehr).reference == "DiagnosticReport/s1/_history/1"
    assert {each.url.host for each in ehr.requests} == {"ehr.clinic.example"}


def test_an_answer_without_location_or_body_is_found_by_search() -> None:
    ehr = EhrDouble(conditional_create=True)
    ehr.after_write = [answers(200)]

    assert deliver(ehr).reference == "DiagnosticReport/s1/_history/1"


def test_a_login_page_instead_of_an_answer_is_not_a_delivery() -> None:
    ehr = EhrDouble(interactions=("create",))
    ehr.instead_of_write = [lambda request: httpx.Response(200, html="<html>Sign in</html>")]

    with pytest.raises(Ambiguous):
        deliver(ehr)


def test_several_reports_with_the_identifier_are_for_a_person() -> None:
    ehr = EhrDouble(conditional_create=True)
    for report_id in ("a", "b"):
        ehr.reports[report_id] = {**report({"reference": "Patient/p1"}), "id": report_id}

    with pytest.raises(Permanent, match="several reports"):
        deliver(ehr)
    with pytest.raises(Permanent, match="several reports"):
        deliver(ehr, read_back_first=True)
    assert len(ehr.reports) == 2


def test_a_concurrent_write_is_tried_again() -> None:
    ehr = EhrDouble(conditional_create=True)
    ehr.instead_of_write = [answers(409)]

    with pytest.raises(Transient, match="409"):
        deliver(ehr)


def test_our_id_held_by_another_report_is_not_overwritten() -> None:
    ehr = EhrDouble(interactions=("read", "update"), update_create=True)
    other = {**report({"reference": "Patient/p1"}), "id": "ours-1", "identifier": []}
    ehr.reports["ours-1"] = other

    for is_amendment in (False, True):
        with pytest.raises(Permanent):
            deliver(ehr, is_amendment=is_amendment)
    assert ehr.reports == {"ours-1": other}


def test_an_ehr_without_any_safeguard_gets_one_attempt() -> None:
    ehr = EhrDouble(interactions=("create",))
    ehr.after_write = [fails_with(httpx.ReadTimeout)]

    with pytest.raises(Ambiguous):
        deliver(ehr)
    sent = len(ehr.reports)
    with pytest.raises(Ambiguous, match="a person has to ask") as unclear:
        deliver(ehr, read_back_first=True)

    assert unclear.value.is_for_person
    assert (sent, len(ehr.reports)) == (1, 1)


def test_a_report_that_is_wrong_in_an_ehr_without_any_safeguard_is_not_simply_sent_again() -> None:
    ehr = EhrDouble(interactions=("create", "read"))
    ehr.shape = lambda resource: {**resource, "subject": {"reference": "Patient/p2"}}

    with pytest.raises(Ambiguous, match="under another patient") as unclear:
        deliver(ehr)

    assert unclear.value.is_for_person


def test_an_ehr_without_any_safeguard_says_when_nothing_could_be_read_back() -> None:
    receipt = deliver(EhrDouble(interactions=("create",)))

    assert (receipt.status, receipt.reference) == ("HTTP 201", "DiagnosticReport/s1")
    assert "not read back" in receipt.note


def test_an_amendment_replaces_the_stored_version() -> None:
    ehr = EhrDouble(conditional_create=True)
    first = deliver(ehr)

    second = deliver(ehr, status="amended", pdf=b"%PDF second", is_amendment=True)

    assert (first.reference, second.reference) == ("DiagnosticReport/s1/_history/1", "DiagnosticReport/s1/_history/2")
    assert ehr.reports["s1"]["status"] == "amended"
    put = next(each for each in ehr.requests if each.method == "PUT")
    assert put.headers["if-match"] == 'W/"1"'
    assert json.loads(put.content)["id"] == "s1"


def test_an_amendment_whose_answer_was_lost_is_not_written_twice() -> None:
    ehr = EhrDouble(conditional_create=True)
    deliver(ehr)
    ehr.after_write = [fails_with(httpx.ReadTimeout)]
    with pytest.raises(Ambiguous):
        deliver(ehr, status="amended", is_amendment=True)

    receipt = deliver(ehr, status="amended", is_amendment=True, read_back_first=True)

    assert receipt.reference == "DiagnosticReport/s1/_history/2"
    assert [each.method for each in ehr.requests].count("PUT") == 1


def test_an_amendment_is_found_by_the_earlier_receipt_where_there_is_no_search() -> None:
    ehr = EhrDouble(interactions=("create", "read", "update"))
    first = deliver(ehr)

    deliver(ehr, status="amended", is_amendment=True, stored_reference=first.reference)

    assert [each["status"] for each in ehr.reports.values()] == ["amended"]


def test_an_amendment_changed_meanwhile_is_read_again() -> None:
    ehr = EhrDouble(conditional_create=True)
    deliver(ehr)
    ehr.instead_of_write = [answers(412)]

    with pytest.raises(Transient, match="changed in the EHR"):
        deliver(ehr, status="amended", is_amendment=True)


def test_an_amendment_without_update_is_for_a_person() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    deliver(ehr)

    with pytest.raises(Permanent, match="offers no update"):
        deliver(ehr, status="amended", is_amendment=True)
    assert len(ehr.reports) == 1


def test_an_amendment_whose_first_version_never_came_is_created() -> None:
    ehr = EhrDouble(conditional_create=True)

    assert deliver(ehr, status="amended", is_amendment=True).status == "HTTP 201"


def test_an_older_version_never_replaces_a_newer_one(ehr: EhrDouble) -> None:
    deliver(ehr, status="amended")

    with pytest.raises(Permanent, match="another status"):
        deliver(ehr, status="final")
    assert [each["status"] for each in ehr.reports.values()] == ["amended"]


def test_a_search_that_ignores_the_identifier_is_not_believed() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.reports["x"] = {**report({"reference": "Patient/p9"}), "id": "x", "identifier": []}
    ehr.patient_interactions = ()
    ehr.is_parameter_ignored = True

    with pytest.raises(Permanent, match="ignores the identifier"):
        deliver(ehr)
    assert list(ehr.reports) == ["x"]


def test_our_own_report_number_may_be_searched_by_url() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    ehr.patient_interactions = ()
    ehr.takes_post_search = False

    deliver(ehr)
    deliver(ehr)

    assert len(ehr.reports) == 1


@pytest.mark.parametrize("field", ["identifier", "presentedForm", "status"])
def test_a_report_that_could_not_be_recognised_again_is_not_sent(ehr: EhrDouble, field: str) -> None:
    def build(subject: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in report(subject).items() if name != field}

    with pytest.raises(Invalid):
        deliver_report(
            ADDRESS,
            build,
            identifier=REPORT_IDENTIFIER,
            patient_identifiers=[PATIENT_IDENTIFIER],
            before_send=lambda: None,
            resource_id="ours-1",
            wiring=ehr.wiring,
        )
    assert not ehr.reports


def test_the_hooks_stand_around_the_write(ehr: EhrDouble) -> None:
    reached: list[tuple[str, int]] = []

    def note(name: str) -> None:
        reached.append((name, len(ehr.reports)))

    hooks.observe(note)
    try:
        deliver(ehr)
    finally:
        hooks.forget(note)

    of_report = [one for one in reached if one[0].startswith("report_to_ehr.")]
    assert of_report == [("report_to_ehr.before_send", 0), ("report_to_ehr.after_send", 1)]
    requests = [name for name, _ in reached if name.startswith("ehr.")]
    assert requests == ["ehr.before_send", "ehr.after_send"] * len(ehr.methods())


def test_an_ehr_that_only_claims_conditional_create_is_looked_at_before_a_second_write() -> None:
    ehr = EhrDouble(conditional_create=True)
    ehr.after_write = [fails_with(httpx.ReadTimeout)]
    with pytest.raises(Ambiguous):
        deliver(ehr)

    deliver(ehr, read_back_first=True)

    assert [each for each in ehr.methods() if each == "POST DiagnosticReport"] == ["POST DiagnosticReport"]


def test_a_read_back_that_fails_is_unclear_and_not_a_failed_write(ehr: EhrDouble) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_read_back = request.method == "GET" and bool(ehr.reports)
        return httpx.Response(503) if is_read_back else ehr.answer(request)

    with pytest.raises(Ambiguous, match="HTTP 201, and reading the report back failed"):
        deliver(ehr, wiring=Wiring(transport=httpx.MockTransport(answer)))


@pytest.mark.parametrize("error", [Conflict("the grant was cancelled"), Full("the disk is full")])
def test_a_read_back_that_we_may_not_or_cannot_make_is_unclear(error: Exception) -> None:
    ehr = EhrDouble(interactions=("create", "search-type"))

    def before_send() -> None:
        if ehr.reports:
            raise error

    with pytest.raises(Ambiguous, match="HTTP 201, and reading the report back failed"):
        deliver(ehr, before_send=before_send)


def test_a_read_answered_with_another_report_is_not_believed(ehr: EhrDouble) -> None:
    ehr.shape = lambda resource: {**resource, "id": "another"}

    with pytest.raises(Permanent, match="another DiagnosticReport"):
        deliver(ehr)


def test_a_search_that_shows_a_summary_does_not_hide_the_pdf() -> None:
    ehr = EhrDouble(interactions=SEARCHING)
    deliver(ehr)

    def answer(request: httpx.Request) -> httpx.Response:
        found = ehr.answer(request)
        if not request.url.path.endswith("DiagnosticReport/_search"):
            return found
        bundle = found.json()
        for entry in bundle["entry"]:
            entry["resource"].pop("presentedForm")
        return httpx.Response(200, json=bundle)

    receipt = deliver(ehr, wiring=Wiring(transport=httpx.MockTransport(answer)))

    assert receipt.note == "was there already"
