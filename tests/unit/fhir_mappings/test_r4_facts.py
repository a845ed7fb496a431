"""Every rule that R4 has for the types that are stored, and for what they can hold, is one that is kept here."""

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_mappings.elements import Element, elements_of
from fhir_mappings.invariants import ELSEWHERE, INVARIANTS
from fhir_mappings.search_parameters import SEARCH_PARAMETERS

FACTS = json.loads((Path(__file__).parent / "r4_facts.json").read_text(encoding="utf-8"))
MIME_TYPES = "http://hl7.org/fhir/ValueSet/mimetypes"
NOT_LISTED = {
    "DataRequirement.type": "names of all types of R4, in an extension that nothing reads",
    "ParameterDefinition.type": "names of all types of R4, in an extension that nothing reads",
    "Money.currency": "ISO 4217, in an extension that nothing reads",
}
"""Required bindings that are not checked, and why that harms nobody."""


def element_at(path: str) -> Element:
    kind, *steps = path.split(".")
    model: Any = get_fhir_model_class(kind)
    for step in steps[:-1]:
        model = elements_of(model)[step].model
    return elements_of(model)[steps[-1]]


def class_of(path: str) -> str:
    """The class of the element, or of the one that it stands in."""
    return "".join(step[0].upper() + step[1:] for step in path.split("."))


@pytest.mark.parametrize(("key", "path"), FACTS["invariants"], ids=str)
def test_each_invariant_is_kept(key: str, path: str) -> None:
    places = {(one.on, one.where) for one in INVARIANTS if one.key == key}
    holder, _, where = path.rpartition(".")
    is_here = class_of(path) in {on for on, _ in places} or (class_of(holder or path), where) in places
    assert is_here != (key in ELSEWHERE)
    assert is_here or len(ELSEWHERE[key]) > 20


def test_no_rule_is_kept_that_is_none() -> None:
    known = {key for key, _ in FACTS["invariants"]} | {"ele-1"}
    assert {one.key for one in INVARIANTS} | set(ELSEWHERE) == known
    for one in INVARIANTS:
        assert elements_of(get_fhir_model_class(one.on))


@pytest.mark.parametrize(("path", "codes"), FACTS["required_bindings"].items(), ids=lambda fact: str(fact)[:40])
def test_each_required_binding_is_checked(path: str, codes: list[str] | str) -> None:
    element = element_at(path)
    if codes == MIME_TYPES:
        assert element.primitive == "mimeType"
    elif isinstance(codes, str):
        assert path in NOT_LISTED
    else:
        assert element.codes == frozenset(codes)


@pytest.mark.parametrize(("path", "targets"), FACTS["reference_targets"].items(), ids=lambda fact: str(fact)[:40])
def test_references_may_point_to_the_types_of_r4(path: str, targets: list[str]) -> None:
    assert element_at(path).targets == frozenset(targets)


def test_the_facts_are_about_every_type_that_is_stored() -> None:
    of_resources = {path for key, path in FACTS["invariants"] if key == "dom-2"}
    assert set(SEARCH_PARAMETERS) <= of_resources | {"Binary"}  # no DomainResource
