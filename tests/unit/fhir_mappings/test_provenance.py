"""A Provenance changes no decision, so it may not seem to speak of a consent."""

from typing import Any

import pytest

from fhir_mappings.provenance import check_is_about_no_consent
from gateway.domain.errors import Unprocessable


def _about(*targets: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Provenance", "target": list(targets)}


@pytest.mark.parametrize(
    "target",
    [
        {"reference": "Consent/c1"},
        {"reference": "Consent/c1/_history/2"},
        {"reference": "https://gateway.example/fhir/Consent/c1"},
        {"type": "Consent", "identifier": {"system": "urn:oid:1.2", "value": "7"}},
        {"type": "http://hl7.org/fhir/StructureDefinition/Consent", "display": "the new one"},
    ],
)
def test_a_consent_is_refused_with_the_way_to_replace_it(target: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match="PUT to its id") as refused:
        check_is_about_no_consent(_about({"reference": "Patient/p1"}, target))
    assert refused.value.at == "Provenance.target[1]"


@pytest.mark.parametrize("target", [{"identifier": {"value": "7"}}, {"reference": "#c1"}, {"display": "the new one"}])
def test_so_is_what_may_be_one(target: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match="say what it is"):
        check_is_about_no_consent(_about(target))


def test_anything_else_is_kept() -> None:
    check_is_about_no_consent(_about({"reference": "DocumentReference/d1"}, {"type": "Patient", "display": "A"}))
