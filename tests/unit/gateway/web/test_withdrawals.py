"""A consent that is taken back is taken back, whatever else is wrong with the version that says so."""

from itertools import product
from typing import Any

import pytest

from fhir_mappings.json_text import read_json
from gateway.demo import resources as demo
from gateway.domain.delivery import Flow
from gateway.services.consent_listing import consent_lines
from gateway.services.effects import effects
from gateway.services.explaining import explain_to_person
from gateway.services.listing.authorities import authority_lines
from tests.unit.gateway.web.reviewing import DATA, Review, Reviewed
from tests.unit.gateway.web.support import World, bundle, patient, problem, put

Json = dict[str, Any]
DEEP: Json = {"a": 1}
for _ in range(20):
    DEEP = {"provision": [DEEP]}
WRONG: dict[str, Json] = {
    "a nested date": {"provision": {"provision": [{"type": "permit", "period": {"end": "31.12.2026"}}]}},
    "a modifier extension": {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]},
    "a nested modifier extension": {"provision": {"modifierExtension": [{"url": "https://example.org/not"}]}},
    "implicit rules": {"implicitRules": "https://example.org/rules"},
    "no policy": {"policy": None},
    "no scope": {"scope": None},
    "no category": {"category": None},
    "dateTime": {"dateTime": "yesterday"},
    "a date of verification": {"verification": [{"verified": True, "verificationDate": "soon"}]},
    "a performer": {"performer": "the patient"},
    "types of performers": {"performer": [{"type": ["Organization"]}]},
    "an element of R5": {"decision": "deny"},
    "what is contained": {"contained": [{"resourceType": "Nothing"}]},
    "a reference that leads nowhere": {"organization": [{"reference": "Organization/nobody"}]},
    "a URN that leads nowhere": {"organization": [{"reference": "urn:uuid:12345678-1234-1234-1234-123456789012"}]},
    "a conditional reference": {"organization": [{"reference": "Organization?identifier=urn:x|nobody"}]},
    "an identifier that is none": {"identifier": [{"system": 1}]},
    "an identifier that is long": {"identifier": [{"system": "urn:x", "value": "1" * 256}]},
    "meta": {"meta": "none"},
    "a deep provision": {"provision": DEEP},
}
in_each = pytest.mark.parametrize("wrong", WRONG)


@pytest.fixture
def reviewed(world: World) -> Reviewed:
    """A case that the reviewer may read, by the one consent on file."""
    world.sets_in_motion(effects(world.core))
    return Review(world).assigned("CS2222222222")


def _content(world: World, reviewed: Reviewed) -> Json:
    content: Json = world.ask("GET", f"/Consent/{reviewed.consent_id}").get_json(force=True)
    return content


def _changed(content: Json, changes: Json) -> Json:
    return {name: value for name, value in (content | changes).items() if value is not None}


def _is_shown(world: World) -> bool:
    return world.ask("GET", "/ServiceRequest/CS2222222222", by="reviewer").status_code == 200


@pytest.mark.parametrize(
    ("status", "wrong"), [*product(["inactive"], WRONG), *product(["entered-in-error", "rejected"], ["dateTime"])]
)
def test_it_is_stored_as_it_came_and_stops_what_it_permitted(
    status: str, wrong: str, world: World, reviewed: Reviewed
) -> None:
    assert _is_shown(world)
    sent = _changed(_content(world, reviewed), {"status": status} | WRONG[wrong])
    answer = world.ask("PUT", f"/Consent/{reviewed.consent_id}", sent)
    assert answer.status_code == 200, answer.text
    kept = read_json(answer.get_data())
    assert (kept["meta"]["versionId"], kept["status"]) == ("2", status)
    assert kept == sent | {"meta": kept["meta"]}
    assert not _is_shown(world)
    written = world.ask("GET", f"/Provenance?target=Consent/{reviewed.consent_id}").get_json(force=True)["entry"]
    assert written[0]["resource"]["target"] == [{"reference": f"Consent/{reviewed.consent_id}/_history/2"}]


@in_each
def test_what_was_stored_breaks_nothing(wrong: str, world: World, reviewed: Reviewed) -> None:
    sent = _changed(_content(world, reviewed), {"status": "inactive"} | WRONG[wrong])
    assert world.ask("PUT", f"/Consent/{reviewed.consent_id}", sent).status_code == 200
    for query in ("status=inactive", f"patient=Patient/{reviewed.case.patient_id}", f"_id={reviewed.consent_id}"):
        found = world.ask("GET", f"/Consent?{query}").get_json(force=True)
        assert [one["resource"]["id"] for one in found.get("entry", ())] == [reviewed.consent_id], query
    assert world.ask("GET", "/Consent?status=active").get_json(force=True)["total"] == 0
    history = world.ask("GET", f"/Consent/{reviewed.consent_id}/_history").get_json(force=True)
    assert [one["resource"]["status"] for one in history["entry"]] == ["inactive", "active"]
    [line] = consent_lines(world.core, reviewed.case.id)
    assert (line.status, line.version) == ("inactive", 2)
    assert authority_lines(world.core, reviewed.case.id) == []
    told = explain_to_person(world.core, reviewed.case.id, "node-reviewer", moment="", actor="cli:officer")
    assert {str(one.outcome) for one in told.things} == {"deny"}
    assert "its status is inactive" in told.things[0].reasons[-1]
    assert not _is_shown(world)


@in_each
def test_to_count_again_it_has_to_be_right(wrong: str, world: World, reviewed: Reviewed) -> None:
    content = _content(world, reviewed)
    sent = _changed(content, {"status": "inactive"} | WRONG[wrong])
    address = f"/Consent/{reviewed.consent_id}"
    assert world.ask("PUT", address, sent).status_code == 200
    follows = {"If-Match": 'W/"2"'}
    for status in ("active", "entered-in-error"):
        refused = world.ask("PUT", address, sent | {"status": status}, headers=follows)
        assert refused.status_code in (400, 422), status
    assert not _is_shown(world)
    assert world.ask("PUT", address, content, headers=follows).status_code == 200
    assert _is_shown(world)


def test_an_identifier_that_another_consent_has_stops_nothing(world: World, reviewed: Reviewed) -> None:
    taken = {"identifier": [{"system": "urn:forms", "value": "1"}]}
    content = demo.consent(DATA, Flow.RETURN_TO_CLINIC, f"Patient/{reviewed.case.patient_id}") | taken
    other = world.ask("POST", "/Consent", content).get_json(force=True)["id"]
    sent = _content(world, reviewed) | {"status": "inactive"} | taken
    assert world.ask("PUT", f"/Consent/{reviewed.consent_id}", sent).status_code == 200
    found = world.ask("GET", "/Consent?identifier=urn:forms|1").get_json(force=True)["entry"]
    assert [one["resource"]["id"] for one in found] == [other]


def test_it_is_taken_back_in_a_transaction_too(world: World, reviewed: Reviewed) -> None:
    sent = _content(world, reviewed) | {"status": "inactive", "dateTime": "yesterday"}
    assert world.ask("POST", "", bundle(put(sent))).status_code == 200
    assert not _is_shown(world)


NO_WITHDRAWAL: dict[str, tuple[Json, tuple[int, str, str]]] = {
    "no patient": ({"patient": None}, (400, "invalid", "Consent.patient")),
    "a patient in words": ({"patient": {"display": "her"}}, (400, "invalid", "Consent.patient")),
    "a patient who is nobody": ({"patient": {"reference": "Patient/nobody"}}, (422, "business-rule", "Consent")),
    "a patient who is none": ({"patient": {"reference": "Group/1"}}, (400, "invalid", "Consent.patient")),
    "a status that is none": ({"status": "over"}, (400, "invalid", "Consent.status")),
    "another id": ({"id": "other"}, (400, "invalid", "Consent.id")),
}


@pytest.mark.parametrize("what", NO_WITHDRAWAL)
def test_what_the_end_needs_is_needed(what: str, world: World, reviewed: Reviewed) -> None:
    changes, expected = NO_WITHDRAWAL[what]
    sent = _changed(_content(world, reviewed), {"status": "inactive", "dateTime": "yesterday"} | changes)
    assert problem(world.ask("PUT", f"/Consent/{reviewed.consent_id}", sent)) == expected
    assert _is_shown(world)


def test_another_patients_is_refused(world: World, reviewed: Reviewed) -> None:
    other = world.ask("POST", "/Patient", patient("4712")).get_json(force=True)["id"]
    sent = _content(world, reviewed) | {"status": "inactive", "dateTime": "yesterday"}
    answer = world.ask("PUT", f"/Consent/{reviewed.consent_id}", sent | {"patient": {"reference": f"Patient/{other}"}})
    assert problem(answer) == (422, "business-rule", "Consent")
    assert _is_shown(world)


def test_one_that_is_new_has_to_be_right(world: World, reviewed: Reviewed) -> None:
    content = demo.consent(DATA, Flow.DISCLOSE_TO_REVIEWER, f"Patient/{reviewed.case.patient_id}")
    sent = content | {"status": "inactive", "dateTime": "yesterday"}
    assert problem(world.ask("POST", "/Consent", sent)) == (400, "invalid", "Consent.dateTime")
