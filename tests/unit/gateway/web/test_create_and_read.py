import base64
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.errors import Conflict
from gateway.services.resources import store_internal
from gateway.store.tables import resource, resource_version
from tests.statements import executed, under_the_write_lock
from tests.unit.gateway.web.support import BASE, FHIR_JSON, World, bundle, order, patient, posted, problem

MRN = "identifier=https%3A%2F%2Fclinic.example%2Fmrn%7C4711"


def test_a_created_resource_is_read_as_it_was_answered(world: World) -> None:
    created = world.ask("POST", "/Patient", patient())
    content = created.get_json(force=True)
    assert created.status_code == 201
    assert created.headers["Location"] == f"{BASE}/fhir/Patient/{content['id']}/_history/1"
    assert created.headers["ETag"] == 'W/"1"'
    assert created.headers["Last-Modified"] == "Mon, 02 Mar 2026 09:30:00 GMT"
    assert content["meta"] == {"versionId": "1", "lastUpdated": "2026-03-02T09:30:00.123Z"}
    read = world.ask("GET", f"/Patient/{content['id']}")
    assert (read.status_code, read.mimetype, read.data) == (200, FHIR_JSON, created.data)
    assert read.headers["Cache-Control"] == "no-store"
    assert world.ask("GET", f"/Patient/{content['id']}/_history/1").data == created.data


def test_the_author_s_decimals_members_and_letters_are_kept(world: World) -> None:
    text = (
        '{"resourceType":"Patient","id":"mine","meta":{"versionId":"7","source":"urn:x"},"extension":[{"url":"urn:e",'
        '"valueDecimal":1.00},{"url":"urn:f","valueDecimal":-2.50e3}],"name":[{"family":"Işıl"}]}'
    )
    created = world.ask("POST", "/Patient", raw=text.encode())
    assert created.status_code == 201
    content = created.get_json(force=True)
    assert content["id"] != "mine"
    assert content["meta"] == {"versionId": "1", "source": "urn:x", "lastUpdated": "2026-03-02T09:30:00.123Z"}
    assert '"valueDecimal":1.00}' in created.text
    assert '"valueDecimal":-2.50e3}' in created.text
    assert '"family":"Işıl"' in created.text


def test_another_resource_with_the_same_identifier_is_a_conflict_that_names_it(world: World) -> None:
    first = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    again = world.ask("POST", "/Patient", patient())
    assert problem(again) == (409, "conflict", "")
    assert f"Patient/{first}" in again.text
    assert "4711" not in again.text
    assert world.ask("POST", "/Patient", patient(), by="other-clinic").status_code == 201


def test_a_conditional_create_finds_what_is_there(world: World) -> None:
    created = world.ask("POST", "/Patient", patient(), headers={"If-None-Exist": MRN})
    found = world.ask("POST", "/Patient", patient(gender="male"), headers={"If-None-Exist": MRN})
    assert (created.status_code, found.status_code) == (201, 200)
    assert found.data == created.data
    assert found.headers["Location"] == created.headers["Location"]
    assert len(world.effects.seen) == 1


def _others() -> dict[str, dict[str, Any]]:
    bad = {"system": "https://clinic.example/mrn", "value": "4711\u200b"}
    person = {"reference": "Patient/nobody", "identifier": bad}
    return {
        "Patient.identifier[0].value": patient("\u206047\u00ad11"),
        "Patient.identifier[1].system": patient(
            identifier=[patient()["identifier"][0], {"system": "urn:x\u200b", "value": "1"}]
        ),
        "ServiceRequest.identifier[0].value": order("Patient/nobody", " ORD-1"),
        "ServiceRequest.requisition.value": order("Patient/nobody") | {"requisition": bad},
        "ServiceRequest.performer[0].identifier.value": order("Patient/nobody") | {"performer": [{"identifier": bad}]},
        "ServiceRequest.subject.identifier.value": order("Patient/nobody") | {"subject": person},
        "Patient.extension[0].valueIdentifier.value": patient(
            extension=[{"url": "https://example.org/x", "valueIdentifier": bad}]
        ),
    }


@pytest.mark.parametrize("at", _others())
def test_an_identifier_with_what_nobody_sees_is_refused(world: World, at: str) -> None:
    """It would be another one than the one that looks the same, and its Patient a second one."""
    resource = _others()[at]
    headers = {"If-None-Exist": "identifier=https://clinic.example/mrn|4711"}
    refused = world.ask("POST", f"/{resource['resourceType']}", resource, headers=headers if "Patient" in at else None)
    assert problem(refused) == (422, "business-rule", at)
    assert "4711" not in refused.text
    in_bundle = world.ask("POST", "", bundle(posted(resource)))
    assert problem(in_bundle) == (422, "business-rule", f"Bundle.entry[0].resource.{at.partition('.')[2]}")
    assert world.ask("GET", f"/{resource['resourceType']}").get_json(force=True)["total"] == 0


def test_a_no_break_space_is_no_letter_of_a_string(world: World) -> None:
    assert problem(world.ask("POST", "/Patient", patient("4711\u00a0"))) == (
        400,
        "invalid",
        "Patient.identifier[0].value",
    )


def test_one_that_is_on_file_is_still_read_found_and_mended(world: World) -> None:
    with world.database.write("test") as connection:
        kept = store_internal(connection, world.party_ids["clinic"], patient("4711 "), now=world.clock())
    assert world.ask("GET", f"/Patient/{kept.id}").status_code == 200
    found = world.ask("GET", "/Patient?identifier=https://clinic.example/mrn|4711%20").get_json(force=True)
    assert found["total"] == 1
    changed = patient("4711 ", id=kept.id)
    assert problem(world.ask("PUT", f"/Patient/{kept.id}", changed))[0] == 422
    assert world.ask("PUT", f"/Patient/{kept.id}", patient("4711", id=kept.id)).status_code == 200


@pytest.mark.parametrize(
    "condition", ["identifier=4711", "identifier=a%7Cb&active=true", "family=x", "", "identifier=a%7Cb,c%7Cd"]
)
def test_any_other_condition_is_refused_and_nothing_is_stored(world: World, condition: str) -> None:
    refused = world.ask("POST", "/Patient", patient(), headers={"If-None-Exist": condition})
    assert problem(refused) == (400, "invalid", "If-None-Exist")
    with world.database.read() as connection:
        assert connection.execute(select(resource)).all() == []


def test_an_update_is_a_new_version_and_the_old_one_stays(world: World) -> None:
    created = world.ask("POST", "/Patient", patient())
    content = created.get_json(force=True)
    address = f"/Patient/{content['id']}"
    updated = world.ask("PUT", address, content | {"gender": "female"}, headers={"If-Match": 'W/"1"'})
    assert (updated.status_code, updated.headers["ETag"]) == (200, 'W/"2"')
    assert world.ask("GET", address).get_json(force=True)["gender"] == "female"
    assert world.ask("GET", f"{address}/_history/1").data == created.data
    assert problem(world.ask("GET", f"{address}/_history/3"))[0] == 404
    assert [one.version for one in world.effects.seen] == [1, 2]


def test_an_update_of_another_version_than_the_current_fails(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    address = f"/Patient/{content['id']}"
    assert world.ask("PUT", address, content, headers={"If-Match": 'W/"1"'}).status_code == 200
    assert problem(world.ask("PUT", address, content, headers={"If-Match": 'W/"1"'}))[:2] == (412, "conflict")
    assert problem(world.ask("PUT", address, content, headers={"If-Match": "1"})) == (400, "invalid", "If-Match")


def _consent(world: World, status: str) -> dict[str, Any]:
    of = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
    resource = {"resourceType": "Consent", "status": status, "scope": kind, "category": [kind]}
    return resource | {
        "policy": [{"uri": "https://consilium.example/policy"}],
        "patient": {"reference": f"Patient/{of}"},
    }


@pytest.mark.parametrize("ended", ["inactive", "rejected", "entered-in-error"])
def test_a_consent_that_has_ended_is_revived_only_by_who_has_seen_its_end(world: World, ended: str) -> None:
    resource = _consent(world, ended)
    content = world.ask("POST", "/Consent", resource).get_json(force=True)
    address = f"/Consent/{content['id']}"
    active = content | {"status": "active"}
    assert problem(world.ask("PUT", address, active))[:2] == (409, "conflict")
    for way_back in ("draft", "proposed"):
        assert problem(world.ask("PUT", address, content | {"status": way_back}))[:2] == (409, "conflict")
    assert world.ask("GET", address).get_json(force=True)["status"] == ended
    assert world.ask("PUT", address, active, headers={"If-Match": 'W/"1"'}).status_code == 200
    assert world.ask("PUT", address, active | {"status": ended}).status_code == 200


def test_of_a_consent_with_an_identifier_that_is_taken_it_is_told_how_to_replace_it(world: World) -> None:
    resource = _consent(world, "inactive") | {"identifier": [{"system": "urn:form", "value": "7"}]}
    first = world.ask("POST", "/Consent", resource).get_json(force=True)["id"]
    again = world.ask("POST", "/Consent", resource | {"dateTime": "2026-03-03"})
    assert problem(again) == (409, "conflict", "")
    assert (
        f"PUT Consent/{first} with its version in If-Match, for one that is taken back with status inactive"
        in again.text
    )


def test_what_r4_does_not_know_or_misses_is_named_by_its_element(world: World) -> None:
    resource = _consent(world, "inactive")
    named = world.ask("POST", "/Consent", resource | {"grantor": []})
    assert problem(named) == (400, "invalid", "Consent.grantor")
    assert "R4 knows no element grantor here" in named.text
    del resource["category"]
    missing = world.ask("POST", "/Consent", resource)
    assert problem(missing) == (400, "invalid", "Consent.category")
    assert "R4 requires this element" in missing.text


def test_an_update_creates_nothing(world: World) -> None:
    assert problem(world.ask("PUT", "/Patient/mine", patient(id="mine")))[:2] == (404, "not-found")
    created = world.ask("POST", "/Patient", patient()).get_json(force=True)
    assert problem(world.ask("PUT", f"/Patient/{created['id']}", patient()))[:2] == (400, "invalid")


def test_an_update_may_give_up_an_identifier_and_another_resource_take_it(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    content["identifier"][0]["value"] = "4712"
    assert world.ask("PUT", f"/Patient/{content['id']}", content).status_code == 200
    assert world.ask("POST", "/Patient", patient("4711")).status_code == 201
    assert problem(world.ask("POST", "/Patient", patient("4712")))[0] == 409


def test_an_update_does_not_move_an_order_to_another_patient(world: World) -> None:
    first, second = (world.ask("POST", "/Patient", patient(n)).get_json(force=True)["id"] for n in ("1", "2"))
    content = world.ask("POST", "/ServiceRequest", order(f"Patient/{first}")).get_json(force=True)
    moved = content | {"subject": {"reference": f"Patient/{second}"}}
    assert problem(world.ask("PUT", f"/ServiceRequest/{content['id']}", moved)) == (
        422,
        "business-rule",
        "ServiceRequest",
    )


def test_others_resources_are_not_there(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    address = f"/Patient/{content['id']}"
    for stranger in ("other-clinic", "reviewer"):
        refused = world.ask("GET", address, by=stranger)
        unknown = world.ask("GET", "/Patient/aaaaaaaaaaaaaaaa", by=stranger)
        assert problem(refused) == problem(unknown) == (404, "not-found", "")
        assert refused.text.replace(content["id"], "") == unknown.text.replace("aaaaaaaaaaaaaaaa", "")
    assert problem(world.ask("PUT", address, content, by="other-clinic"))[0] == 404
    assert problem(world.ask("PUT", address, content, by="reviewer"))[0] == 403


@pytest.mark.parametrize(
    ("by", "kind", "status"),
    [
        ("reviewer", "Patient", 403),
        ("clinic", "DiagnosticReport", 403),
        ("clinic", "ImagingStudy", 403),
        ("clinic", "Observation", 404),
        ("clinic", "Nonsense", 404),
    ],
)
def test_only_the_party_s_own_types_are_taken(world: World, by: str, kind: str, status: int) -> None:
    assert problem(world.ask("POST", f"/{kind}", {"resourceType": kind}, by=by))[0] == status


def test_a_reference_has_to_lead_to_something_of_the_same_party(world: World) -> None:
    theirs = world.ask("POST", "/Patient", patient(), by="other-clinic").get_json(force=True)["id"]
    mine = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    at = "ServiceRequest.subject.reference"
    for target in (f"Patient/{theirs}", "Patient/nobody", "urn:uuid:6b1cd3b5-a6a2-4a5e-8f3e-111111111111"):
        assert problem(world.ask("POST", "/ServiceRequest", order(target))) == (422, "business-rule", at)
    assert problem(world.ask("POST", "/ServiceRequest", order(f"Patient/{mine}/_history/2")))[0] == 422
    for number, target in enumerate((f"Patient/{mine}", f"{BASE}/fhir/Patient/{mine}", f"Patient/{mine}/_history/1")):
        taken = world.ask("POST", "/ServiceRequest", order(target, str(number)))
        assert taken.get_json(force=True)["subject"]["reference"].startswith(f"Patient/{mine}")


def test_an_effect_that_refuses_undoes_everything(world: World) -> None:
    world.effects.refusals["Patient"] = Conflict("not now")
    assert problem(world.ask("POST", "/Patient", patient()))[:2] == (409, "conflict")
    with world.database.read() as connection:
        assert connection.execute(select(resource_version)).all() == []
    assert world.audit_rows("fhir.create") == []


def test_what_breaks_r4_is_refused_with_its_place(world: World) -> None:
    assert problem(world.ask("POST", "/Patient", patient(gender="f"))) == (400, "invalid", "Patient.gender")
    assert problem(world.ask("POST", "/Patient", {"resourceType": "Consent"})) == (400, "invalid", "resourceType")


def test_prefer_decides_what_comes_back(world: World) -> None:
    minimal = world.ask("POST", "/Patient", patient("1"), headers={"Prefer": "return=minimal"})
    assert (minimal.status_code, minimal.data, minimal.headers["ETag"]) == (201, b"", 'W/"1"')
    assert "Content-Type" not in minimal.headers
    outcome = world.ask(
        "POST", "/Patient", patient("2"), headers={"Prefer": "handling=strict, return=OperationOutcome"}
    )
    assert problem(outcome) == (201, "informational", "")


def test_a_binary_is_read_as_json_or_as_its_bytes(world: World) -> None:
    pdf = b"%PDF-1.7\nsynthetic"
    binary = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(pdf).decode()}
    address = f"/Binary/{world.ask('POST', '/Binary', binary).get_json(force=True)['id']}"
    assert world.ask("GET", address).get_json(force=True)["data"] == binary["data"]
    raw = world.ask("GET", address, headers={"Accept": "application/pdf"})
    assert (raw.mimetype, raw.data, raw.headers["Content-Disposition"]) == ("application/pdf", pdf, "attachment")
    assert problem(world.ask("GET", address, headers={"Accept": "image/png"}))[0] == 406


def test_every_look_leaves_an_audit_row(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    stored = world.ask("POST", "/ServiceRequest", order(f"Patient/{content['id']}")).get_json(force=True)
    world.ask("PUT", f"/Patient/{content['id']}", content)
    world.ask("GET", f"/Patient/{content['id']}")
    world.ask("GET", "/ServiceRequest")
    clinic = world.ask("POST", "/Organization", {"resourceType": "Organization", "name": "A"}).get_json(force=True)
    world.ask("GET", f"/Organization/{clinic['id']}")
    creates, updates, reads, searches = (
        [(row.actor, row.subject, row.case_id) for row in world.audit_rows(f"fhir.{action}")]
        for action in ("create", "update", "read", "search")
    )
    of_patient, of_order = f"Patient/{content['id']}/_history", f"ServiceRequest/{stored['id']}/_history/1"
    assert creates[:2] == [("clinic-client", f"{of_patient}/1", None), ("clinic-client", of_order, stored["id"])]
    assert updates == [("clinic-client", f"{of_patient}/2", None)]
    of_clinic = f"Organization/{clinic['id']}/_history/1"
    assert reads == [("clinic-client", f"{of_patient}/2", None), ("clinic-client", of_clinic, None)]
    assert searches == [("clinic-client", of_order, stored["id"])]


def test_reading_keeps_no_writer_waiting(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    with executed() as statements:
        world.ask("GET", f"/Patient/{content['id']}")
        world.ask("GET", f"/Patient/{content['id']}/_history/1")
        world.ask("GET", "/Patient")
    locked = under_the_write_lock(statements)
    assert len(locked) == 6  # an audit row and its place in the tail, three times
    assert all(sql.startswith("INSERT INTO audit") for sql in locked)


def test_the_text_of_what_is_read_is_fetched_once(world: World) -> None:
    content = world.ask("POST", "/Patient", patient()).get_json(force=True)
    with executed() as statements:
        world.ask("GET", f"/Patient/{content['id']}")
    assert len([one for one in statements if "resource_version.content" in one.sql]) == 1
