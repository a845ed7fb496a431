"""What a resource is found by, and that the table is R4's."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.elements import elements_of, model_of
from fhir_mappings.search_parameters import SEARCH_PARAMETERS, Kind, Parameter, found_by
from gateway.services.resource_rules import READABLE
from tests.unit.fhir_mappings import samples

ISTANBUL = ZoneInfo("Europe/Istanbul")
PATHS = [
    (kind, one, path)
    for kind, parameters in SEARCH_PARAMETERS.items()
    for one in parameters.values()
    for path in one.paths
]
_OF_TEXT = {"string", "HumanName"}
_OF_DATES = {"date", "dateTime", "instant", "Period"}
_OF_TOKENS = {"code", "boolean", "id", "uri", "oid", "string", "Coding", "CodeableConcept"}
TAKES = {Kind.STRING: _OF_TEXT, Kind.DATE: _OF_DATES, Kind.TOKEN: _OF_TOKENS, Kind.REFERENCE: {"Reference"}}


def test_every_type_that_is_kept_can_be_searched() -> None:
    assert set(SEARCH_PARAMETERS) == READABLE


@pytest.mark.parametrize(
    ("kind", "parameter", "path"), PATHS, ids=[f"{kind}-{one.name}-{path}" for kind, one, path in PATHS]
)
def test_each_path_leads_to_an_element_of_a_type_that_is_read(kind: str, parameter: Parameter, path: str) -> None:
    model: Any = model_of(kind)
    *holders, last = path.split(".")
    for step in holders:
        model = elements_of(model)[step].model
    element = elements_of(model)[last]
    assert (element.primitive or element.model.__resource_type__) in TAKES[parameter.kind]
    if parameter.kind is Kind.REFERENCE and parameter.target and element.targets:
        assert parameter.target in element.targets


def test_a_patient_is_found_by_who_she_is() -> None:
    link = {"other": {"reference": "Patient/old/_history/2"}, "type": "replaces"}
    found = found_by(samples.patient() | {"active": True, "link": [link]}, ISTANBUL)
    assert found.tokens == {("active", "", "true"), ("gender", "", "female"), ("link", "Patient", "old")}
    assert found.texts == {
        ("family", "ozturk", "Öztürk"),
        ("given", "ayse", "Ayşe"),
        ("given", "isil", "Işıl"),
        *(("name", folded, written) for folded, written in (("ozturk", "Öztürk"), ("ayse", "Ayşe"), ("isil", "Işıl"))),
        ("name", "aysecik", "Ayşecik"),
    }
    assert [(name, low.isoformat(), high.isoformat()) for name, low, high in found.spans] == [
        ("birthdate", "1961-04-22T22:00:00+00:00", "1961-04-23T22:00:00+00:00")
    ]


def test_a_reference_is_found_under_patient_where_it_is_one() -> None:
    task = {"resourceType": "Task", "for": {"reference": "Patient/p"}, "focus": {"reference": "Consent/c"}}
    assert found_by(task, ISTANBUL).tokens == {
        ("subject", "Patient", "p"),
        ("patient", "Patient", "p"),
        ("focus", "Consent", "c"),
    }
    provenance = {"resourceType": "Provenance", "target": [{"reference": "Consent/c"}, {"reference": "Patient/p"}]}
    assert found_by(provenance, ISTANBUL).tokens == {
        ("target", "Consent", "c"),
        ("target", "Patient", "p"),
        ("patient", "Patient", "p"),
    }


@pytest.mark.parametrize("reference", [{"identifier": {"system": "a", "value": "b"}}, {"reference": "urn:uuid:x"}, {}])
def test_a_reference_that_leads_nowhere_here_is_not_found_by(reference: dict[str, Any]) -> None:
    assert found_by({"resourceType": "Task", "owner": reference}, ISTANBUL).tokens == frozenset()


def test_what_is_too_long_is_cut_or_left_out() -> None:
    found = found_by({"resourceType": "Practitioner", "name": [{"family": "A" * 300}], "gender": "x" * 300}, ISTANBUL)
    assert found.texts == {("family", "a" * 255, "A" * 255), ("name", "a" * 255, "A" * 255)}
    assert found.tokens == frozenset()
