"""The trail, disclosures and requests for a consent, as a privacy officer and a clinic ask, on both databases."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from fhir_mappings.codes import DELIVERY_SYSTEM
from gateway.demo import resources as demo
from gateway.domain.party import Identifier
from gateway.domain.people import Person, Role
from gateway.services import egress
from gateway.services.accounting import accounting_of_case, accounting_of_patient
from gateway.services.event_ids import EventIds
from gateway.services.looking import record_view
from gateway.services.patient_trail import patient_lines
from gateway.services.resources import store_internal
from gateway.store import audit, cases, tables
from gateway.store.engine import Database
from tests.core import PSEUDONYM_KEY, START
from tests.unit.gateway.services.consent_acts import of_clinic
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, RETURN, Scenery
from tests.unit.gateway.web.support import World, order, patient


@pytest.fixture
def scenery(database: Database, tmp_path: Path) -> Scenery:
    return Scenery(database, tmp_path)


def test_disclosures_and_who_saw_what_of_a_patient(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    images, patient_id = scenery.images("1.1"), scenery.case.patient_id
    assert egress.grant(scenery.core, images.id)
    scenery.clock.forward(minutes=5)
    assert egress.grant(scenery.core, images.id)
    found = accounting_of_patient(scenery.core, patient_id, since=None)
    [one] = found.disclosures
    assert (one.granted_at, one.grants, one.recipient, one.purposes) == (START, 2, "board", ("TREAT",))
    assert one.consents == (f"{consent_id}/1",)
    assert accounting_of_case(scenery.core, scenery.case.id, since=None).disclosures == found.disclosures
    assert accounting_of_patient(scenery.core, patient_id, since=scenery.clock()).disclosures[0].grants == 1
    granted = [line for line in patient_lines(scenery.core, patient_id, limit=10) if line.action == "egress.granted"]
    assert [line.at for line in granted] == [scenery.clock(), START]
    assert f"consents {consent_id}/1" in granted[0].ground


def _person(name: str) -> Person:
    roles = frozenset((Role.COORDINATOR,))
    return Person(name, name, roles, None, None, None, is_enrolled=True, created_at=START)


def test_a_person_who_saw_a_list_with_the_patients_case_is_found(scenery: Scenery) -> None:
    """Also where a version before wrote one row for the whole list, with the cases in its details alone."""
    person, case, patient_id = _person("ayse"), scenery.case, scenery.case.patient_id
    before = {line.id for line in patient_lines(scenery.core, patient_id, limit=100)}
    with scenery.core.database.write("test") as connection:
        resource = demo.patient_resource(replace(DATA, record_number="4712"))
        another = store_internal(connection, "ankara", resource, now=START).id
        other = replace(case, id=f"{case.id}0", patient_id=another, pseudonym="CS-2")
        cases.add(connection, other)
        for seen in ([case.id, other.id], [other.id], [f"x{case.id}"], []):
            actor, details = f"user:{len(seen)}", {"cases": seen}
            audit.record(connection, at=START, actor=actor, action="page.view", subject="page/waits", details=details)
    record_view(scenery.core, person, "waits", [case.id, other.id])
    record_view(scenery.core, person, "recalls", [])
    found = [line for line in patient_lines(scenery.core, patient_id, limit=100) if line.id not in before]
    assert [(line.actor, line.subject, line.case_id) for line in found] == [
        ("user:ayse", "page/waits", case.id),
        ("user:2", "page/waits", ""),
    ]
    assert [line.actor for line in patient_lines(scenery.core, patient_id, limit=1)] == ["user:ayse"]
    with scenery.core.database.read() as connection:
        views = connection.execute(select(tables.audit).where(tables.audit.c.actor == "user:ayse")).all()
        assert [(row.case_id, row.patient_id) for row in views] == [
            (case.id, patient_id),
            (other.id, another),
            (None, None),
        ]


def test_a_clinic_searches_its_events_page_by_page(database: Database, tmp_path: Path) -> None:
    world, ids = World(database, tmp_path), EventIds(PSEUDONYM_KEY)
    patient_id = world.ask("POST", "/Patient", patient()).get_json(force=True)["id"]
    order_id = world.ask("POST", "/ServiceRequest", order(f"Patient/{patient_id}")).get_json(force=True)["id"]
    world.ask("GET", f"/ServiceRequest/{order_id}")
    day = world.clock().date().isoformat()
    asked, seen = f"/AuditEvent?patient={patient_id}&action=R,C&date=ge{day}&_count=2", []
    while asked:
        page = world.ask("GET", asked).get_json(force=True)
        seen += [entry["resource"] for entry in page["entry"]]
        links = {link["relation"]: link["url"] for link in page["link"]}
        asked = links.get("next", "").removeprefix("https://gateway.example/fhir")
    assert [one["action"] for one in seen] == ["R", "C", "C"]
    numbers = [ids.number(one["id"]) for one in seen]
    assert numbers == sorted(numbers, reverse=True)
    by_order = world.ask("GET", f"/AuditEvent?entity=ServiceRequest/{order_id}&altid=clinic-client&action=R")
    assert [entry["resource"] for entry in by_order.get_json(force=True)["entry"]] == seen[:1]
    assert world.ask("GET", f"/AuditEvent/{seen[0]['id']}").get_json(force=True) == seen[0]
    assert world.ask("GET", f"/AuditEvent/{seen[0]['id']}", by="other-clinic").status_code == 404
    others = world.ask("GET", f"/AuditEvent?patient={patient_id}", by="other-clinic")
    assert "entry" not in others.get_json(force=True)


def test_a_report_asks_the_clinic_for_a_consent_and_tells_when_it_is_there(scenery: Scenery) -> None:
    waiting = scenery.report()
    assert egress.grant(scenery.core, waiting.id) is None
    asked = of_clinic(scenery, "Task", Identifier(DELIVERY_SYSTEM, waiting.id))
    assert asked is not None
    assert asked["status"] == "requested"
    scenery.consent(RETURN)
    told = of_clinic(scenery, "Task", Identifier(DELIVERY_SYSTEM, waiting.id))
    assert told is not None
    assert (told["status"], told["id"]) == ("completed", asked["id"])
