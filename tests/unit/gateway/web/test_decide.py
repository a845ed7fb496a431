"""POST /fhir/Consent/$decide: the clinic whose case it is gets the decision; nobody else learns that there is one."""

from typing import Any

import pytest

from gateway.domain.case import CaseState
from gateway.domain.record import Case
from gateway.store import cases
from tests.unit.gateway.web.support import World, order, patient, problem


def _asked(case_id: str, recipient: str = "reviewer") -> dict[str, Any]:
    to = {"identifier": {"system": "https://parties.example", "value": recipient}}
    parameters = [
        {"name": "case", "valueReference": {"reference": f"ServiceRequest/{case_id}"}},
        {"name": "recipient", "valueReference": to},
    ]
    return {"resourceType": "Parameters", "parameter": parameters}


@pytest.fixture
def case_id(world: World) -> str:
    """A case of the clinic, whose patient has consented to nothing."""
    person = world.ask("POST", "/Patient", patient()).get_json()["id"]
    ordered = world.ask("POST", "/ServiceRequest", order(f"Patient/{person}")).get_json()["id"]
    ids = world.party_ids
    with world.database.write("test") as connection:
        new = Case(ordered, ids["clinic"], ids["reviewer"], person, "CS-1", CaseState.OPEN, world.clock())
        cases.add(connection, new)
    return str(ordered)


def test_the_decision_with_its_reasons_and_an_audit_row(world: World, case_id: str) -> None:
    answer = world.ask("POST", "/Consent/$decide", _asked(case_id, "clinic"))
    assert answer.status_code == 200
    found = {one["name"]: one for one in answer.get_json()["parameter"]}
    assert (found["outcome"]["valueCode"], found["answer"]["valueString"]) == ("deny", "No.")
    reasons = [one["valueString"] for one in found["thing"]["part"] if one["name"] == "reason"]
    assert reasons == ["No consent of this patient is on file."]
    [row] = world.audit_rows("consent.explain")
    assert (row.case_id, row.details["outcome"]) == (case_id, "deny")


def test_a_closed_case_says_that_nothing_leaves(world: World, case_id: str) -> None:
    open_still = world.ask("POST", "/Consent/$decide", _asked(case_id)).get_json()["parameter"]
    assert not [one for one in open_still if one["name"] == "hindrance"]
    with world.database.write("test") as connection:
        cases.close(connection, case_id, world.clock())
    parameters = world.ask("POST", "/Consent/$decide", _asked(case_id)).get_json()["parameter"]
    [hindrance] = [one["part"] for one in parameters if one["name"] == "hindrance"]
    assert [one["name"] for one in hindrance] == ["code", "reason"]
    assert hindrance[0]["valueCode"] == "closed-case"
    [answer] = [one["valueString"] for one in parameters if one["name"] == "answer"]
    assert answer == f"No. Whatever the consents say, nothing leaves: {hindrance[1]['valueString']}."
    back = world.ask("POST", "/Consent/$decide", _asked(case_id, "clinic")).get_json()["parameter"]
    assert not [one for one in back if one["name"] == "hindrance"]


def test_another_clinics_case_is_as_one_that_never_was(world: World, case_id: str) -> None:
    others = world.ask("POST", "/Consent/$decide", _asked(case_id), by="other-clinic")
    unknown = world.ask("POST", "/Consent/$decide", _asked("x" * len(case_id)), by="other-clinic")
    assert (others.status_code, unknown.status_code) == (404, 404)
    assert others.get_data(as_text=True) == unknown.get_data(as_text=True).replace("x" * len(case_id), case_id)
    assert world.audit_rows("consent.explain") == []


def test_a_reviewer_may_not_ask(world: World, case_id: str) -> None:
    assert world.ask("POST", "/Consent/$decide", _asked(case_id), by="reviewer").status_code == 403


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"resourceType": "Consent"}, (400, "invalid", "resourceType")),
        ({"resourceType": "Parameters"}, (422, "business-rule", "Parameters.parameter")),
    ],
)
def test_a_question_that_is_none(world: World, body: dict[str, Any], expected: tuple[int, str, str]) -> None:
    assert problem(world.ask("POST", "/Consent/$decide", body)) == expected


def test_whom_the_case_has_nothing_to_do_with(world: World, case_id: str) -> None:
    refused = [world.ask("POST", "/Consent/$decide", _asked(case_id, one)) for one in ("other-reviewer", "nobody")]
    assert [one.status_code for one in refused] == [422, 422]
    assert refused[0].get_data() == refused[1].get_data()
