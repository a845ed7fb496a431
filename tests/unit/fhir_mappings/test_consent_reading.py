"""Every element that R4 has in a Consent is decided on, or kept without any effect, or refused by name.

The elements are those of the installed model of fhir.resources, so that none can be forgotten.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.consent import (
    Consent,
    ConsentPolicy,
    ConsentProvision,
    ConsentProvisionActor,
    ConsentProvisionData,
    ConsentVerification,
)

from fhir_mappings.consent_reading import ACTOR, CONSENT, DATA, POLICY, PROVISION, VERIFICATION, Reading
from gateway.domain.errors import Unprocessable
from tests.unit.fhir_mappings.consent_changes import changed, read
from tests.unit.fhir_mappings.consent_examples import CLINIC, Resource, coding, concept, disclose_consent, recipient

LEVELS = (
    (Consent, CONSENT, ""),
    (ConsentPolicy, POLICY, "policy.0"),
    (ConsentVerification, VERIFICATION, "verification.0"),
    (ConsentProvision, PROVISION, "provision"),
    (ConsentProvision, PROVISION, "provision.provision.0"),
    (ConsentProvisionActor, ACTOR, "provision.provision.0.actor.0"),
    (ConsentProvisionData, DATA, "provision.provision.0.data.0"),
)
EXTENSION = [{"url": "https://example.org/x", "valueBoolean": True}]
ODD = {
    "id": "x1",
    "meta": {"security": [coding("v3-Confidentiality", "R")]},
    "language": "tr",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">No.</div>'},
    "extension": EXTENSION,
    "modifierExtension": EXTENSION,
    "category": [concept("consentcategorycodes", "acd")],
    "organization": [{"reference": "Organization/other"}],
    "implicitRules": "https://example.org/rules",
    "contained": [{"resourceType": "Organization", "id": "c"}],
    "authority": "https://example.org/ministry",
    "verifiedWith": {"reference": "Patient/p1"},
    "verificationDate": "2026-01-02",
}
"""A value of each element that is not decided on."""


def example() -> Resource:
    """A consent that has every level."""
    resource = disclose_consent()
    resource["verification"] = [{"verified": True}]
    reference = {"reference": "DocumentReference/d1"}
    resource["provision"]["provision"][0]["data"] = [{"meaning": "instance", "reference": reference}]
    return resource


def elements(model: Any) -> set[str]:
    """Those of R4, by the names they have in JSON, without the extensions of primitives."""
    names = {field.alias or name for name, field in model.model_fields.items()} - {"fhir_comments"}
    return {name for name in names if not name.startswith("_")}


def primitives() -> Iterator[tuple[str, str]]:
    for model, reading, path in LEVELS:
        names = sorted(field.alias or name for name, field in model.model_fields.items())
        yield from ((path, name) for name in names if name.startswith("_") and name[1:] in reading.decided)


def holder_of(resource: Resource, path: str) -> Resource:
    found: Any = resource
    for step in filter(None, path.split(".")):
        found = found[int(step)] if step.isdigit() else found[step]
    assert isinstance(found, dict)
    return found


def expression(path: str, name: str) -> str:
    """`provision.provision.0` and `type` as a FHIRPath."""
    steps = (f"[{step}]" if step.isdigit() else f".{step}" for step in filter(None, path.split(".")))
    return f"Consent{''.join(steps)}.{name}"


@pytest.mark.parametrize(("model", "reading", "path"), LEVELS, ids=[path or "Consent" for _, _, path in LEVELS])
def test_every_element_stands_in_exactly_one_list(model: Any, reading: Reading, path: str) -> None:
    lists = [reading.decided - {"resourceType"}, reading.kept, frozenset(reading.refused)]
    assert sorted(elements(model)) == sorted(name for one in lists for name in one)
    assert holder_of(example(), path)


KEPT = [(path, name) for _, reading, path in LEVELS for name in sorted(reading.kept)]
REFUSED = [(path, name) for _, reading, path in LEVELS for name in sorted(reading.refused)]


@pytest.mark.parametrize(("path", "name"), KEPT)
def test_what_is_kept_changes_nothing(path: str, name: str) -> None:
    resource = changed(lambda one: holder_of(one, path).update({name: ODD[name]}), example)
    assert read(resource) == read(example())


@pytest.mark.parametrize(("path", "name"), REFUSED)
def test_what_is_refused_is_named(path: str, name: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(lambda one: holder_of(one, path).update({name: ODD[name]}), example))
    assert refusal.value.at == expression(path, name)
    assert str(refusal.value).partition("; ")[2]


@pytest.mark.parametrize(("path", "name"), list(primitives()))
def test_an_extension_of_a_primitive_that_is_decided_on_is_refused(path: str, name: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(lambda one: holder_of(one, path).update({name: {"extension": EXTENSION}}), example))
    assert refusal.value.at == expression(path, name)


OTHER: dict[str, Any] = {
    "identifier": [CLINIC],
    "status": "inactive",
    "scope": concept("consentscope", "research"),
    "patient": {"reference": "Patient/p2"},
    "dateTime": "2026-02-02",
    "performer": [{"reference": "RelatedPerson/mother"}],
    "sourceAttachment": {"url": "Binary/1"},
    "sourceReference": {"display": "in the drawer"},
    "policy": [{"uri": "https://consilium.example/fhir/policy/return-to-clinic"}],
    "policyRule": concept("v3-ActCode", "OPTIN"),
    "verification": [{"verified": False}],
    "uri": "https://consilium.example/fhir/policy/return-to-clinic",
    "verified": False,
    "type": "deny",
    "period": {"end": "2026-05"},
    "actor": [recipient(CLINIC)],
    "action": [concept("consentaction", "use")],
    "securityLabel": [coding("v3-Confidentiality", "N")],
    "purpose": [coding("v3-ActReason", "COC")],
    "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Media"}],
    "code": [concept("x", "y")],
    "dataPeriod": {"start": "2026"},
    "data": [{"meaning": "instance", "reference": {"reference": "Media/1"}}],
    "provision": {"type": "permit"},
    "role": concept("v3-ParticipationType", "CST"),
    "meaning": "related",
    "reference": {"reference": "Media/2"},
}
"""Another value of each element that is decided on."""
DECIDED = [(path, name) for _, reading, path in LEVELS for name in sorted(reading.decided - {"resourceType"})]


@pytest.mark.parametrize(("path", "name"), DECIDED)
def test_what_is_decided_on_changes_what_is_read(path: str, name: str) -> None:
    value = [OTHER[name]] if name == "provision" and path else OTHER[name]
    resource = changed(lambda one: holder_of(one, path).update({name: value}), example)
    if name == "sourceAttachment":
        resource.pop("sourceReference")
        assert read(resource).has_signature_or_source
        return
    try:
        assert read(resource) != read(example())
    except Unprocessable:
        assert name in {"verification", "verified", "role", "meaning"}
