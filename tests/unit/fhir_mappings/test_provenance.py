"""Of a Consent a Provenance is read or refused; about anything else it is kept as it came."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_mappings.literal_references import LocalTarget
from fhir_mappings.provenance import claims_of, revision
from fhir_mappings.validation import check_resource
from gateway.domain.errors import Unprocessable

CONSENT = {"reference": "Consent/c1/_history/2"}


def _about(*targets: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Provenance", "target": list(targets), **elements}


@pytest.mark.parametrize(
    "target",
    [
        {"reference": "https://elsewhere.example/fhir/Consent/c1"},
        {"type": "Consent", "identifier": {"system": "urn:oid:1.2", "value": "7"}},
        {"type": "http://hl7.org/fhir/StructureDefinition/Consent", "display": "the new one"},
        {"reference": "Patient/p1"},
    ],
)
def test_consents_of_this_server_are_named_and_nothing_beside_them(target: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match="about them alone") as refused:
        claims_of(_about(CONSENT, target))
    assert refused.value.at == "Provenance.target[1]"


@pytest.mark.parametrize("target", [{"identifier": {"value": "7"}}, {"reference": "#c1"}, {"display": "the new one"}])
def test_what_may_be_one_is_refused(target: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable, match="say what it is"):
        claims_of(_about(target))


def test_anything_else_is_kept() -> None:
    others = ({"reference": "DocumentReference/d1"}, {"type": "Patient", "display": "A"})
    assert claims_of(_about(*others, signature=[{"type": []}])) is None


def test_it_may_say_no_more_than_who_wrote_it_and_from_what() -> None:
    source = {"role": "source", "what": {"reference": "DocumentReference/d1"}}
    claims = claims_of(_about(CONSENT, entity=[source], activity={"coding": [{"code": "LA", "system": _COMPLETION}]}))
    assert claims is not None
    assert (claims.targets, claims.signatures, claims.revised) == ((LocalTarget("Consent", "c1", "2"),), (), ())


_COMPLETION = "http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion"


def test_what_the_gateway_writes_is_valid_and_read_as_it_was_meant() -> None:
    written = revision(LocalTarget("Consent", "c1", "2"), client_id="ehr", at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    check_resource(written, ("Provenance",))
    claims = claims_of(written)
    assert claims is not None
    assert claims.revised == (LocalTarget("Consent", "c1", "1"),)
    assert written["recorded"] == "2026-03-02T09:00:00.000+00:00"
