"""One effect per delivery: what is sent, when it may be, and where it is found to be there already."""

import hashlib
from typing import Any

import httpx
import pytest

from gateway.domain import hooks
from gateway.domain.delivery import Receipt
from gateway.domain.errors import (
    Forbidden,
    Invalid,
    Permanent,
    Transient,
)
from tests.core import Clock
from tests.unit.workers.ehr.delivering import SEARCHING, deliver
from tests.unit.workers.ehr.double import (
    ADDRESS,
    NOW,
    PATIENT_IDENTIFIER,
    PDF,
    REPORT_IDENTIFIER,
    EhrDouble,
    answers,
    report,
)
from workers.ehr.capability import KEPT_FOR, CapabilityCache
from workers.ehr.client import Wiring
from workers.ehr.report import deliver_report


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


def _as_found(message: httpx.Request) -> bool:
    return message.method == "GET" or message.url.path.endswith("_search")


def test_no_answer_that_was_kept_for_somebody_is_believed_in_a_look(ehr: EhrDouble) -> None:
    deliver(ehr, read_back_first=True)

    looks = [one for one in ehr.requests if "DiagnosticReport" in one.url.path and _as_found(one)]
    assert looks
    assert {one.headers.get("cache-control") for one in looks} == {"no-cache"}


def test_a_grant_that_ended_stops_the_report(ehr: EhrDouble) -> None:
    permitted = iter([True])  # the Patient search, and nothing after it

    def before_send() -> None:
        if not next(permitted, False):
            raise Forbidden("revoked")

    with pytest.raises(Forbidden):
        deliver(ehr, before_send=before_send)

    assert not ehr.reports
    assert not [each for each in ehr.requests if each.method == "PUT" or each.url.path.endswith("DiagnosticReport")]


def test_each_request_about_somebody_asks_the_grant_just_before_it(ehr: EhrDouble) -> None:
    seen: list[int] = []
    deliver(ehr, before_send=lambda: seen.append(len(ehr.requests)))

    personal = [index for index, each in enumerate(ehr.requests) if not each.url.path.endswith("/metadata")]
    assert seen == personal


def test_no_patient_number_stands_in_a_url(ehr: EhrDouble) -> None:
    deliver(ehr)

    assert all("4711" not in str(each.url) for each in ehr.requests)


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
