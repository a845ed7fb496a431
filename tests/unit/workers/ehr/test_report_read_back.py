"""What an EHR says it has stored is looked at: all of it is there, under the right patient, or somebody is told."""

from typing import Any

import httpx
import pytest

from gateway.domain.errors import (
    Ambiguous,
    Conflict,
    Full,
    Permanent,
)
from tests.unit.workers.ehr.delivering import SEARCHING, deliver
from tests.unit.workers.ehr.double import (
    PDF,
    EhrDouble,
    answers,
    wired_to,
)


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


def test_a_read_back_that_fails_is_unclear_and_not_a_failed_write(ehr: EhrDouble) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_read_back = request.method == "GET" and bool(ehr.reports)
        return httpx.Response(503) if is_read_back else ehr.answer(request)

    with pytest.raises(Ambiguous, match="HTTP 201, and reading the report back failed"):
        deliver(ehr, wiring=wired_to(answer))


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

    receipt = deliver(ehr, wiring=wired_to(answer))

    assert receipt.note == "was there already"
