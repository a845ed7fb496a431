"""A code is found wherever a resource that leaves has it, not only where it says what it is."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.consent import Coding
from gateway.domain.record import Delivery
from gateway.services import egress
from gateway.services.disclosure import item_of, order_item
from gateway.services.resources import store_internal
from gateway.store import reports
from tests.unit.gateway.services.consent_acts import consent, document
from tests.unit.gateway.services.scenery import DATA, DISCLOSE, RETURN, Scenery

SNOMED = "http://snomed.info/sct"
DENIED, HARMLESS = "19030005", "271737000"


def _concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": SNOMED, "code": code}]}


def _typed(code: str) -> dict[str, Any]:
    kind = {"system": "http://loinc.org", "code": demo.PATHOLOGY_STUDY}
    return {"coding": [kind, *_concept(code)["coding"]]}


ELEMENTS: dict[str, dict[str, Any]] = {
    "type": {"type": _typed(DENIED)},
    "category": {"category": [_concept(HARMLESS), _concept(DENIED)]},
    "facilityType": {"context": {"facilityType": _concept(DENIED)}},
    "practiceSetting": {"context": {"practiceSetting": _concept(DENIED)}},
    "event": {"context": {"event": [_concept(DENIED)]}},
}


def _is_granted(scenery: Scenery, delivery: Delivery) -> bool:
    return egress.grant(scenery.core, delivery.id) is not None


def _permitted_but(scenery: Scenery, flow: Any) -> None:
    """The flow is permitted, without what is coded so."""
    permit = demo.consent(DATA, flow, "")["provision"]
    consent(scenery, flow, provision=permit | {"provision": [{"type": "deny", "code": [_concept(DENIED)]}]})


@pytest.mark.parametrize("element", list(ELEMENTS))
def test_a_document_is_denied_by_a_code_of_any_element(scenery: Scenery, element: str) -> None:
    _permitted_but(scenery, DISCLOSE)
    elements = {"type": _typed(HARMLESS)} | ELEMENTS[element]
    delivery = document(scenery, **elements)
    with scenery.core.database.read() as connection:
        found = item_of(connection, scenery.case, delivery)
    assert Coding(SNOMED, DENIED) in found.codes | found.mentions
    assert not _is_granted(scenery, delivery)


@pytest.mark.parametrize(("elements", "is_granted"), [({"type": _typed(HARMLESS)}, True), ({}, False)])
def test_what_a_document_is_only_its_type_says(scenery: Scenery, elements: dict[str, Any], is_granted: bool) -> None:
    """Without a type of that system it may be what is denied, whatever stands in its category."""
    _permitted_but(scenery, DISCLOSE)
    found = document(scenery, category=[_concept(HARMLESS)], **elements)
    assert _is_granted(scenery, found) is is_granted


@pytest.mark.parametrize("kind", ["DiagnosticReport", "Composition"])
def test_a_report_is_denied_by_a_category_of_either_resource(scenery: Scenery, kind: str) -> None:
    _permitted_but(scenery, RETURN)
    delivery = scenery.report()
    coded = {"code": _concept(HARMLESS), "type": _concept(HARMLESS)}
    with scenery.core.database.write("test") as connection:
        version = reports.by_id(connection, delivery.subject_id)
        ids = {"DiagnosticReport": version.diagnostic_report_id, "Composition": version.composition_id}
        for name, of in ids.items():
            store_internal(connection, "board", {"resourceType": name, "id": of} | coded, now=scenery.clock())
    assert _is_granted(scenery, delivery)
    with scenery.core.database.write("test") as connection:
        content = {"resourceType": kind, "id": ids[kind], "category": [_concept(DENIED)]} | coded
        store_internal(connection, "board", content, now=scenery.clock())
    assert not _is_granted(scenery, delivery)


def test_an_order_has_the_codes_of_its_category_too(scenery: Scenery) -> None:
    content = {"resourceType": "ServiceRequest", "code": _concept(HARMLESS), "category": [_concept(DENIED)]}
    with scenery.core.database.write("test") as connection:
        stored = store_internal(connection, "ankara", content, now=scenery.clock())
    with scenery.core.database.read() as connection:
        found = order_item(connection, replace(scenery.case, id=stored.id))
    assert {one.code for one in found.codes} == {HARMLESS}
    assert {one.code for one in found.mentions} == {DENIED}
