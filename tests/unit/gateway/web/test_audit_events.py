"""Every look, also in vain, leaves a row about its patient; a clinic reads those of its own patients as AuditEvents."""

import base64
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.services.event_ids import EventIds
from gateway.store import audit
from tests.core import PSEUDONYM_KEY
from tests.unit.gateway.web.support import World, order, patient, problem

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
IDS = EventIds(PSEUDONYM_KEY)


def _created(world: World, resource: dict[str, Any], by: str = "clinic") -> str:
    response = world.ask("POST", f"/{resource['resourceType']}", resource, by=by)
    assert response.status_code == 201, response.text
    return str(response.get_json(force=True)["id"])


def _events(world: World, query: str = "", by: str = "clinic") -> list[dict[str, Any]]:
    response = world.ask("GET", f"/AuditEvent?{query}", by=by)
    assert response.status_code == 200, response.text
    return [entry["resource"] for entry in response.get_json(force=True).get("entry", [])]


def test_rows_name_their_patient_also_where_there_is_no_case(world: World) -> None:
    patient_id = _created(world, patient())
    world.ask("GET", f"/Patient/{patient_id}")
    world.ask("GET", "/Patient?identifier=https://clinic.example/mrn|4711")
    order_id = _created(world, order(f"Patient/{patient_id}"))
    world.ask("GET", f"/ServiceRequest/{order_id}")
    with world.database.read() as connection:
        rows = audit.of_patient(connection, patient_id, limit=10)
    assert [(row.action, row.subject.partition("/")[0]) for row in rows] == [
        ("fhir.read", "ServiceRequest"),
        ("fhir.create", "ServiceRequest"),
        ("fhir.search", "Patient"),
        ("fhir.read", "Patient"),
        ("fhir.create", "Patient"),
    ]
    assert {row.patient_id for row in rows} == {patient_id}
    assert {row.details["address"] for row in rows} == {"127.0.0.1"}


def test_a_search_keeps_the_names_of_its_parameters_and_no_value(world: World) -> None:
    world.ask("GET", "/Patient?identifier=https://clinic.example/mrn|99999")
    [row] = world.audit_rows("fhir.search")
    assert (row.subject, row.details["by"]) == ("Patient", ["identifier"])
    assert "99999" not in str(row)


def test_a_look_at_what_is_about_nobody_is_recorded_as_well(world: World) -> None:
    organization_id = _created(world, {"resourceType": "Organization", "name": "Ankara"})
    world.ask("GET", f"/Organization/{organization_id}")
    [row] = world.audit_rows("fhir.read")
    assert (row.subject, row.patient_id) == (f"Organization/{organization_id}/_history/1", None)


@pytest.mark.parametrize(
    ("method", "path", "by", "status", "reason", "subject"),
    [
        ("GET", "/Patient/{id}", "other-clinic", 404, "not-found", "Patient/{id}"),
        ("GET", "/Patient/12345678901", "clinic", 404, "not-found", "Patient"),
        ("GET", "/Nonsense/1", "clinic", 404, "not-found", ""),
        ("POST", "/Patient", "reviewer", 403, "forbidden", "Patient"),
        ("GET", f"/AuditEvent/{IDS.of(4711)}", "clinic", 404, "not-found", f"AuditEvent/{IDS.of(4711)}"),
        ("GET", "/AuditEvent/4711", "clinic", 404, "not-found", "AuditEvent"),
    ],
    ids=["another-clinic", "foreign-id", "no-type", "not-writable", "audit-event", "number"],
)
def test_what_was_refused_is_recorded(
    world: World, method: str, path: str, by: str, status: int, reason: str, subject: str
) -> None:
    patient_id = _created(world, patient())
    body = patient("4712") if method == "POST" else None
    assert world.ask(method, path.format(id=patient_id), body, by=by).status_code == status
    [row] = world.audit_rows("fhir.denied")
    assert (row.outcome, row.actor, row.details["reason"]) == ("denied", f"{by}-client", reason)
    assert row.subject == subject.format(id=patient_id)


def test_a_flood_of_refusals_leaves_a_bounded_number_of_rows(world: World) -> None:
    for _ in range(60):
        assert world.ask("GET", "/Patient/aaaaaaaaaaaaaaaa").status_code == 404
    assert 1 <= len(world.audit_rows("fhir.denied")) < 60


def test_a_clinic_reads_the_events_of_its_patients_and_no_others(world: World) -> None:
    patient_id = _created(world, patient())
    other_id = _created(world, patient(), by="other-clinic")
    world.ask("GET", f"/Patient/{patient_id}")
    found = _events(world)
    assert [one["action"] for one in found] == ["R", "C"]
    read = found[0]
    assert read["meta"]["profile"] == [f"{BALP}PatientRead"]
    assert read["entity"][0]["what"] == {"reference": f"Patient/{patient_id}"}
    assert read["agent"][0]["altId"] == "clinic-client"
    assert read["agent"][0]["network"] == {"address": "127.0.0.1", "type": "2"}
    get_fhir_model_class("AuditEvent").model_validate(read)
    response = world.ask("GET", f"/AuditEvent/{read['id']}")
    assert response.get_json(force=True) == read
    assert world.ask("GET", f"/AuditEvent/{read['id']}", by="other-clinic").status_code == 404
    assert world.ask("GET", f"/AuditEvent/{read['id']}", by="reviewer").status_code == 404
    assert _events(world, f"patient={other_id}") == []
    assert _events(world, by="reviewer") == []


def test_events_are_searched(world: World) -> None:
    patient_id = _created(world, patient())
    order_id = _created(world, order(f"Patient/{patient_id}"))
    world.ask("GET", f"/ServiceRequest/{order_id}")
    rest = "http://terminology.hl7.org/CodeSystem/audit-event-type|rest"
    assert len(_events(world, f"patient=Patient/{patient_id}&action=C,R&type={rest}")) == 3
    assert [one["action"] for one in _events(world, f"entity=ServiceRequest/{order_id}&action=R")] == ["R"]
    assert _events(world, "altid=nobody") == []
    assert len(_events(world, "altid=clinic-client&action=C")) == 2
    day = world.clock().date().isoformat()
    assert len(_events(world, f"date=ge{day}&date=le{day}&action=C")) == 2
    assert _events(world, f"date=lt{day}") == []
    assert _events(world, "type=http://dicom.nema.org/resources/ontology/DCM|110106") == []
    searched = _events(world, f"patient={patient_id}&action=E")
    query = next(entity for entity in searched[0]["entity"] if "query" in entity)
    assert base64.b64decode(query["query"]).startswith(b"AuditEvent?")


def test_events_come_page_by_page_newest_first(world: World) -> None:
    patient_id = _created(world, patient())
    for _ in range(4):
        world.ask("GET", f"/Patient/{patient_id}")
    seen, address = [], "/AuditEvent?action=R,C&_count=2"
    while address:
        bundle = world.ask("GET", address).get_json(force=True)
        seen += [IDS.number(entry["resource"]["id"]) for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        address = links.get("next", "").removeprefix("https://gateway.example/fhir")
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


def test_no_number_of_a_row_is_shown_that_others_have_counted_on(world: World) -> None:
    patient_id = _created(world, patient())
    [created] = _events(world, f"patient={patient_id}")
    world.ask("GET", f"/AuditEvent/{created['id']}")
    [read] = _events(world, f"entity=AuditEvent/{created['id']}")
    assert _events(world, f"_id={created['id']}") == [created]
    assert _events(world, f"_id={IDS.number(created['id'])}") == []
    shown = world.ask("GET", "/AuditEvent?_count=2")
    with world.database.read() as connection:
        rows = audit.of_patient(connection, patient_id, limit=10)
    assert {row.id for row in rows} >= {IDS.number(created["id"]), IDS.number(read["id"])}
    assert not [row.id for row in rows if f'"{row.id}"' in shown.text or f"/{row.id}" in shown.text]


def test_a_form_asks_as_well(world: World) -> None:
    patient_id = _created(world, patient())
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = world.ask("POST", "/AuditEvent/_search", raw=f"patient={patient_id}".encode(), headers=headers)
    assert len(response.get_json(force=True)["entry"]) == 1


def test_reading_the_trail_is_recorded(world: World) -> None:
    patient_id = _created(world, patient())
    _events(world, f"patient={patient_id}")
    [row] = world.audit_rows("fhir.search")
    assert (row.subject, row.patient_id, row.details["by"]) == ("AuditEvent", patient_id, ["patient"])


def test_nobody_writes_an_event(world: World) -> None:
    event = {"resourceType": "AuditEvent"}
    assert problem(world.ask("POST", "/AuditEvent", event))[:2] == (403, "forbidden")
    assert problem(world.ask("PUT", "/AuditEvent/1", event | {"id": "1"}))[:2] == (403, "forbidden")
    assert world.ask("DELETE", "/AuditEvent/1").status_code == 405


@pytest.mark.parametrize(
    "query", ["entity=x", "nobody=1", "patient:missing=true", "_after=abc", "_after=4711", "date=yesterday"]
)
def test_what_is_not_understood_is_refused(world: World, query: str) -> None:
    assert world.ask("GET", f"/AuditEvent?{query}").status_code == 400
