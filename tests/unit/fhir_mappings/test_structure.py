"""What is told of a broken structure: the element, and how to mend it, to a person who knows R4 and not our classes."""

import re
import typing
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from fhir_mappings.structure import SENTENCES, broken_structure
from fhir_mappings.validation import check_resource
from gateway.domain.errors import Invalid
from gateway.services.resource_rules import WRITABLE
from tests.unit.fhir_mappings import samples
from tests.unit.fhir_mappings.consent_examples import disclose_consent
from tests.unit.fhir_mappings.samples import changed

TYPES = sorted(frozenset().union(*WRITABLE.values()))
CONSENT = disclose_consent()
LINE = {"reference": "DocumentReference/d1"}
BOTH_SOURCES = CONSENT | {"sourceAttachment": {"url": "https://example.org/a"}, "sourceReference": LINE}
PROVENANCE = {
    "resourceType": "Provenance",
    "target": [{"reference": "Consent/c1"}],
    "recorded": "2026-03-02T10:00:00Z",
    "agent": [{"who": {"reference": "Practitioner/p"}}],
}


def refused(resource: dict[str, Any]) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        check_resource(resource, (*TYPES, "Bundle"))
    return refusal.value


@pytest.mark.parametrize("kind", TYPES)
def test_an_element_that_r4_does_not_know_is_named_whatever_the_type(kind: str) -> None:
    found = refused({"resourceType": kind, "grantorOfAll": "Ayşe"})
    assert found.at == f"{kind}.grantorOfAll"
    assert str(found) == "R4 knows no element grantorOfAll here: leave it out"


UNKNOWN = [
    (CONSENT | {"grantor": []}, "Consent.grantor", "R4 knows no element grantor here: leave it out"),
    (CONSENT | {"Mueller": []}, "Consent", "R4 knows no such element here: leave it out"),
    (CONSENT | {"a" * 41: []}, "Consent", "R4 knows no such element here: leave it out"),
    (CONSENT | {"catgory": []}, "Consent.catgory", "R4 knows no element catgory here: did you mean category?"),
    (CONSENT | {"_catgory": []}, "Consent.catgory", "R4 knows no element catgory here: did you mean category?"),
    (CONSENT | {"Status": "x"}, "Consent", "R4 knows no such element here: did you mean status?"),
    (CONSENT | {"date_time": "x"}, "Consent", "R4 knows no such element here: did you mean dateTime?"),
    (CONSENT | {"Ayşe Öztürk": "x"}, "Consent", "R4 knows no such element here: leave it out"),
    (CONSENT | {"x" * 40: 1}, f"Consent.{'x' * 40}", f"R4 knows no element {'x' * 40} here: leave it out"),
    (CONSENT | {"x" * 65: 1}, "Consent", "R4 knows no such element here: leave it out"),
    (CONSENT | {"status" * 20_000: 1}, "Consent", "R4 knows no such element here: leave it out"),
    (CONSENT | {"status\n": 1}, "Consent", "R4 knows no such element here: did you mean status?"),
    (CONSENT | {"": 1}, "Consent", "R4 knows no such element here: leave it out"),
    (
        CONSENT | {"_category": [{"id": "x"}]},
        "Consent.category",
        "_category may stand beside a primitive only, and category is none: leave it out",
    ),
    (
        changed(CONSENT, "provision.provision[0].purposes", []),
        "Consent.provision.provision[0].purposes",
        "R4 knows no element purposes here: did you mean purpose?",
    ),
    (
        changed(samples.patient(), "contained", [{"resourceType": "Organization", "id": "o", "title": "x"}]),
        "Patient.contained[0].title",
        "R4 knows no element title here: leave it out",
    ),
]


@pytest.mark.parametrize(
    ("resource", "at", "says"), UNKNOWN, ids=[f"{n}-{at[:40]}" for n, (_, at, _) in enumerate(UNKNOWN)]
)
def test_an_element_that_r4_does_not_know_is_named_and_the_one_that_was_meant(
    resource: dict[str, Any], at: str, says: str
) -> None:
    found = refused(resource)
    assert (found.at, str(found)) == (at, says)


BROKEN = [
    (changed(CONSENT, "status", ...), "Consent.status", SENTENCES["missing"]),
    (changed(CONSENT, "category", ...), "Consent.category", SENTENCES["missing"]),
    (
        changed(CONSENT, "verification", [{"verifiedWith": {"reference": "Patient/p1"}}]),
        "Consent.verification[0].verified",
        SENTENCES["missing"],
    ),
    (BOTH_SOURCES, "Consent.source", "only one source[x] may stand here: send sourceAttachment or sourceReference"),
    (
        {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": PROVENANCE | {"agent": [{"type": {"text": "x"}}]},
                    "request": {"method": "POST", "url": "Provenance"},
                }
            ],
        },
        "Bundle.entry[0].resource.agent[0].who",
        SENTENCES["missing"],
    ),
    (
        changed(samples.patient(), "extension", [{"url": "urn:x", "valueDecimal": float("inf")}]),
        "Patient.extension[0].valueDecimal",
        "the value is not a FHIR decimal",
    ),
    (
        PROVENANCE | {"occurredDateTime": "2026", "occurredPeriod": {"start": "2026"}},
        "Provenance.occurred",
        "only one occurred[x] may stand here: send occurredDateTime or occurredPeriod",
    ),
]


@pytest.mark.parametrize(("resource", "at", "says"), BROKEN, ids=[f"{n}-{at}" for n, (_, at, _) in enumerate(BROKEN)])
def test_a_broken_structure_names_the_element_and_what_to_do(resource: dict[str, Any], at: str, says: str) -> None:
    found = refused(resource)
    assert (found.at, str(found)) == (at, says)


def test_of_a_choice_that_r4_requires_one_has_to_be_sent() -> None:
    population = {"resourceType": "Medication", "ingredient": [{"isActive": True}]}
    with pytest.raises(Invalid, match=r"R4 requires item\[x\]: send one of") as refusal:
        check_resource(population, ("Medication",))
    assert refusal.value.at == "Medication.ingredient[0].item"


PLACES = [
    ((), CONSENT, "Consent"),
    (("status",), CONSENT, "Consent.status"),
    (("category", 0), CONSENT, "Consent.category[0]"),
    (("category", 7, "coding", 0, "code"), CONSENT, "Consent.category[7].coding[0].code"),
    (("provision", "provision", 0, "Ayşe"), CONSENT, "Consent.provision.provision[0]"),
    (
        ("entry", 0, "resource", "status"),
        {"resourceType": "Bundle", "entry": [{"resource": CONSENT}]},
        "Bundle.entry[0].resource.status",
    ),
]
OF_THE_CLASSES = (
    "fhir-validation-wrong-resource-type",
    "list_type",
    "model_field_validation.missing",
    "model_validation_format",
)


def errors_of_every_kind() -> list[PydanticCustomError]:
    """Whatever pydantic can say, what the classes of fhir.resources say beside (fhir_core), and one that is new."""
    kinds = (*typing.get_args(core_schema.ErrorType), *OF_THE_CLASSES, "one_that_is_new")
    return [PydanticCustomError(kind, "Ayşe") for kind in kinds]


@pytest.mark.parametrize(("steps", "resource", "at"), PLACES, ids=[at for _, _, at in PLACES])
def test_no_kind_of_error_is_told_in_the_words_of_the_library(
    steps: tuple[str | int, ...], resource: dict[str, Any], at: str
) -> None:
    for kind in errors_of_every_kind():
        detail: InitErrorDetails = {"type": kind, "loc": steps, "input": "Ayşe"}
        found = broken_structure(ValidationError.from_exception_data("Ayşe", [detail]), resource)
        assert found.at == at
        assert re.search(r"Ayşe|_|pydantic|validation|structure", str(found)) is None, kind.type
        assert str(found)


def test_every_kind_with_a_sentence_of_its_own_is_one_that_there_is() -> None:
    assert SENTENCES.keys() <= {one.type for one in errors_of_every_kind()}


@pytest.mark.parametrize("kind", TYPES)
def test_an_empty_resource_of_each_type_is_told_what_it_lacks(kind: str) -> None:
    """Each element that the class requires is the one that is named, one after the other."""
    try:
        get_fhir_model_class(kind).model_validate({"resourceType": kind})
    except ValidationError as refusal:
        found = broken_structure(refusal, {"resourceType": kind})
        assert found.at.startswith(f"{kind}.")
        assert str(found) == SENTENCES["missing"]
