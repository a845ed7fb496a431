"""A consent that names an organisation reaches a reviewer who works there, as the administrator registered it."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from gateway.demo import resources as demo
from gateway.domain.consent import Coding
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.party import Identifier, PartyKind
from gateway.services import egress, employment, recall, registry
from gateway.services.disclosure import item_of
from gateway.services.resources import store_internal
from gateway.store import deliveries, parties
from gateway.store.tables import audit
from tests.core import START
from tests.unit.gateway.services.consent_acts import consent
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, REVIEWER, Scenery

HOSPITAL = Identifier("https://parties.example", "university-hospital")
DEPARTMENT = Identifier("https://parties.example", "ent-department")
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def _stored(scenery: Scenery, kind: str, **elements: Any) -> str:
    with scenery.core.database.write("test") as connection:
        return store_internal(connection, "ankara", {"resourceType": kind, **elements}, now=START).id


def _named(identifier: Identifier) -> dict[str, Any]:
    return {"identifier": [{"system": identifier.system, "value": identifier.value}]}


def _to(identifier: Identifier) -> dict[str, Any]:
    content = demo.consent(replace(DATA, reviewer=identifier), DISCLOSE, "")
    return {"provision": content["provision"]}


def _to_literal(reference: str) -> dict[str, Any]:
    provision = _to(HOSPITAL)["provision"]
    return {"provision": provision | {"actor": [provision["actor"][0] | {"reference": {"reference": reference}}]}}


def _works_for(scenery: Scenery, *organizations: Identifier) -> None:
    with scenery.core.database.write("test") as connection:
        parties.add_organizations(connection, "board", organizations)


def _leaves(scenery: Scenery) -> bool:
    return egress.grant(scenery.core, scenery.images("1.1").id) is not None


def test_by_the_identifier_of_the_organisation(scenery: Scenery) -> None:
    consent(scenery, DISCLOSE, **_to(HOSPITAL))
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    _works_for(scenery, HOSPITAL)
    assert egress.grant(scenery.core, delivery.id) is not None


def test_by_the_clinics_organization_that_carries_it(scenery: Scenery) -> None:
    hospital = _stored(scenery, "Organization", **_named(HOSPITAL))
    _works_for(scenery, HOSPITAL)
    consent(scenery, DISCLOSE, **_to_literal(f"Organization/{hospital}"))
    assert _leaves(scenery)


def test_not_by_its_department_nor_by_the_whole_of_a_department(scenery: Scenery) -> None:
    hospital = _stored(scenery, "Organization", **_named(HOSPITAL))
    _stored(scenery, "Organization", **_named(DEPARTMENT), partOf={"reference": f"Organization/{hospital}"})
    _works_for(scenery, DEPARTMENT)
    consent(scenery, DISCLOSE, **_to(HOSPITAL))
    assert not _leaves(scenery)


def test_what_the_clinics_practitioner_role_says_of_an_organisation_is_not_read(scenery: Scenery) -> None:
    hospital = _stored(scenery, "Organization", **_named(HOSPITAL))
    role = {"organization": {"reference": f"Organization/{hospital}"}}
    role_id = _stored(scenery, "PractitionerRole", **_named(REVIEWER), **role)
    delivery = scenery.images("1.1")
    consent(scenery, DISCLOSE, **_to(HOSPITAL))
    assert egress.grant(scenery.core, delivery.id) is None
    consent(scenery, DISCLOSE, **_to_literal(f"PractitionerRole/{role_id}"))
    assert egress.grant(scenery.core, delivery.id) is not None


def test_an_organisation_is_covered_by_no_other_one(scenery: Scenery) -> None:
    _stored(scenery, "Organization", **_named(REVIEWER))
    _works_for(scenery, HOSPITAL)
    consent(scenery, DISCLOSE, **_to(HOSPITAL))
    assert not _leaves(scenery)


def test_who_begins_or_ends_to_work_there_is_decided_on_anew_and_nothing_is_recalled(scenery: Scenery) -> None:
    consent(scenery, DISCLOSE, **_to(HOSPITAL))
    delivery = scenery.images("1.1")
    assert egress.grant(scenery.core, delivery.id) is None
    assert scenery.delivery(delivery.id).state is DeliveryState.HELD
    employment.add(scenery.core, "board", HOSPITAL, actor="cli:admin")
    assert scenery.delivery(delivery.id).state is DeliveryState.PENDING
    grant = egress.grant(scenery.core, delivery.id)
    assert grant is not None
    employment.remove(scenery.core, "board", HOSPITAL, actor="cli:admin")
    assert egress.grant(scenery.core, delivery.id) is None
    assert recall.recall_lines(scenery.core, limit=10) == []
    with scenery.core.database.read() as connection:
        assert "employment" in {one.stage for one in deliveries.decisions(connection, scenery.case.id)}
        rows = connection.execute(select(audit).where(audit.c.action.startswith("reviewer.organization"))).all()
    said = {"system": HOSPITAL.system, "value": HOSPITAL.value}
    assert [(row.action, row.actor, row.details) for row in rows] == [
        ("reviewer.organization-add", "cli:admin", said),
        ("reviewer.organization-remove", "cli:admin", said),
    ]


def test_nobody_begins_twice_or_ends_unbegun_and_no_clinic_is_employed(scenery: Scenery) -> None:
    with pytest.raises(NotFound):
        employment.remove(scenery.core, "board", HOSPITAL, actor="cli:admin")
    employment.add(scenery.core, "board", HOSPITAL, actor="cli:admin")
    with pytest.raises(Conflict):
        employment.add(scenery.core, "board", HOSPITAL, actor="cli:admin")
    with pytest.raises(Invalid, match="no reviewer"):
        employment.add(scenery.core, "ankara", HOSPITAL, actor="cli:admin")
    with pytest.raises(Invalid):
        employment.add(scenery.core, "board", replace(HOSPITAL, value=" "), actor="cli:admin")


def test_the_label_of_the_order_counts_for_its_images(scenery: Scenery) -> None:
    label = {"system": CONFIDENTIALITY, "code": "R"}
    delivery = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        assert item_of(connection, scenery.case, delivery).labels == frozenset()
        order = {"resourceType": "ServiceRequest", "id": scenery.case.id, "meta": {"security": [label]}}
        store_internal(connection, "ankara", order, now=START)
        assert item_of(connection, scenery.case, delivery).labels == {Coding(CONFIDENTIALITY, "R")}


def test_a_reviewer_is_registered_with_an_employer_and_a_clinic_is_not(scenery: Scenery) -> None:
    given: dict[str, Any] = {"country": "TR", "time_zone": "Europe/Istanbul", "endpoints": (), "actor": "cli:admin"}
    given |= {"works_for": [HOSPITAL], "now": START}
    names: dict[str, Any] = {"name": "dr-kaya", "identifiers": [replace(HOSPITAL, value="kaya")]}
    registry.register_party(scenery.core.database, kind=PartyKind.REVIEWER, **names, **given)
    shown = registry.registration(scenery.core.database, "dr-kaya", PartyKind.REVIEWER)
    assert shown.works_for == (HOSPITAL,)
    with pytest.raises(Invalid, match="works for nobody"):
        registry.register_party(scenery.core.database, kind=PartyKind.CLINIC, **names, **given)
