"""Reports that nobody may post, about nobody we know, or with a part missing: refused while the signer looks on."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateway.demo import resources
from tests.acceptance.scene import Json
from tests.acceptance.stage import DISCLOSE, RETURN, Case, Stage


@pytest.fixture(scope="module")
def case(stage: Stage) -> Iterator[Case]:
    """A case that waits for its report, before and after everything here."""
    stage.add_reviewer("colleague")
    opened = stage.open_case(DISCLOSE, RETURN)
    yield opened
    assert "report version" not in stage.told(opened.id)
    assert stage.deliveries(opened.id) == []
    assert stage.asked_of_ehr(opened) == []


def test_a_colleague_cannot_report_on_a_case_of_another(stage: Stage, case: Case) -> None:
    answer = stage.request("colleague", "POST", "", _report(stage, case))
    assert answer.status_code == 422
    [issue] = answer.json()["issue"]
    assert issue["diagnostics"] == "no case of yours has this pseudonym"
    assert issue["expression"][0].endswith(".subject.identifier")
    _holds_nothing(stage, "colleague")


def test_a_report_on_nobody_is_answered_alike(stage: Stage, case: Case) -> None:
    report = resources.report_bundle("CS-NOBODY", number=uuid.uuid4().hex, signed_at=datetime.now(UTC))
    answer = stage.request("colleague", "POST", "", report)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["diagnostics"] == "no case of yours has this pseudonym"
    _holds_nothing(stage, "colleague")


def test_a_clinic_cannot_write_a_report(stage: Stage, case: Case) -> None:
    answer = stage.request("hospital", "POST", "", _report(stage, case))
    assert answer.status_code == 403
    assert answer.json()["issue"][0]["code"] == "forbidden"


def test_a_report_with_a_section_missing_names_it(stage: Stage, case: Case) -> None:
    report = _report(stage, case)
    composition = report["entry"][1]["resource"]
    removed = composition["section"].pop(2)
    answer = stage.request("reviewer", "POST", "", report)
    assert answer.status_code == 422
    [issue] = answer.json()["issue"]
    assert issue["expression"][0].endswith(".section")
    assert removed["code"]["coding"][0]["code"] in issue["diagnostics"]


def test_a_report_with_an_empty_section_names_it(stage: Stage, case: Case) -> None:
    report = _report(stage, case)
    section = report["entry"][1]["resource"]["section"][7]
    del section["text"]
    not_r4 = stage.request("reviewer", "POST", "", report)
    assert not_r4.status_code == 400  # invariant cmp-1
    assert not_r4.json()["issue"][0]["expression"][0].endswith(".section[7].text")
    section["entry"] = [{"display": "elsewhere"}]
    answer = stage.request("reviewer", "POST", "", report)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"][0].partition("[")[0].endswith(".section")


def test_a_report_without_its_composition_is_refused(stage: Stage, case: Case) -> None:
    report = _report(stage, case)
    del report["entry"][1]
    answer = stage.request("reviewer", "POST", "", report)
    assert answer.status_code == 422
    assert "a DiagnosticReport and a Composition" in answer.json()["issue"][0]["diagnostics"]
    alone = stage.request("reviewer", "POST", "DiagnosticReport", report["entry"][0]["resource"])
    assert alone.status_code == 422


def _report(stage: Stage, case: Case) -> Json:
    pseudonym = stage.story(case.id)["pseudonym"]
    return resources.report_bundle(pseudonym, number=uuid.uuid4().hex, signed_at=datetime.now(UTC))


def _holds_nothing(stage: Stage, client: str) -> None:
    for kind in ("DiagnosticReport", "Composition"):
        assert stage.request(client, "GET", kind).json()["total"] == 0
