"""What the mapping refuses, at which element, and what it says to send instead."""

from typing import Any

import pytest

from gateway.domain.errors import Invalid, Unprocessable
from tests.unit.fhir_mappings.consent_changes import (
    CHILD,
    OPTIN,
    OPTOUT,
    ROOT,
    Change,
    at_root,
    changed,
    nested,
    read,
    top,
    without,
)
from tests.unit.fhir_mappings.consent_examples import (
    REVIEWER,
    Resource,
    concept,
    disclose_consent,
)


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (top(resourceType="Contract"), "resourceType"),
        (top(status="on"), "Consent.status"),
        (without("status"), "Consent.status"),
        (without("scope"), "Consent.scope"),
        (without("category"), "Consent.category"),
        (top(category=[]), "Consent.category"),
        (without("patient"), "Consent.patient"),
        (top(patient="Patient/p1"), "Consent.patient"),
        (top(patient={"reference": 7}), "Consent.patient.reference"),
        (top(identifier={"value": "1"}), "Consent.identifier"),
        (top(identifier=[{"system": "urn:x", "value": 1}]), "Consent.identifier[0]"),
        (without("policy"), "Consent"),
        (top(dateTime="yesterday"), "Consent.dateTime"),
        (top(dateTime=2026), "Consent.dateTime"),
        (top(decision="permit"), "Consent.decision"),
        (top(provision=[{"actor": []}]), "Consent.provision"),
        (top(provision={}), "Consent.provision"),
        (at_root(type="allow"), f"{ROOT}.type"),
        (at_root(kind="x"), f"{ROOT}.kind"),
        (at_root(period={}), f"{ROOT}.period"),
        (at_root(period={"id": "x"}), f"{ROOT}.period"),
        (at_root(period={"end": "2026-02-30"}), f"{ROOT}.period.end"),
        (at_root(period={"start": "2026-03-31T10:00:00"}), f"{ROOT}.period.start"),
        (at_root(period={"start": "2026-04", "end": "2026-03-31"}), f"{ROOT}.period"),
        (
            at_root(period={"start": "2026-04-01T10:00:00Z", "end": "2026-04-01T09:00:00Z"}),
            f"{ROOT}.period",
        ),
        (nested(type=None), f"{CHILD}.type"),
        (nested(actor={}), f"{CHILD}.actor"),
        (nested(actor=[{"reference": {"reference": "Organization/1"}}]), f"{CHILD}.actor[0].role"),
        (nested(actor=[{"role": concept("v3-ParticipationType", "IRCP")}]), f"{CHILD}.actor[0].reference"),
        (nested(provision=[]), f"{CHILD}.provision"),
        (nested(action=["disclose"]), f"{CHILD}.action"),
        (nested(dataPeriod={"start": "soon"}), f"{CHILD}.dataPeriod.start"),
    ],
)
def test_what_is_not_r4_is_invalid(change: Change, at: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(changed(change))
    assert not isinstance(refusal.value, Unprocessable)
    assert refusal.value.at == at


def test_no_message_quotes_the_patient() -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(top(patient={"display": "Ayşe Öztürk"})))
    assert "Ayşe" not in str(refusal.value)


@pytest.mark.parametrize(("levels", "is_read"), [(8, True), (9, False), (900, False)])
def test_how_deep_provisions_nest(levels: int, is_read: bool) -> None:
    provision: Resource = {"type": "permit"}
    for _ in range(levels - 1):
        provision = {"type": "permit", "provision": [provision]}
    resource = disclose_consent() | {"provision": {"provision": [provision]}}
    if is_read:
        assert read(resource).provision is not None
        return
    with pytest.raises(Unprocessable, match="flatten"):
        read(resource)


_IRCP = concept("v3-ParticipationType", "IRCP")
_DISCLOSE = concept("consentaction", "disclose")
_BREAST = {"coding": [{"system": "http://snomed.info/sct", "code": "71651007", "display": "Mammography"}]}


def _and(one: Resource, system: str, code: str) -> Resource:
    return {"coding": [*one["coding"], {"system": system, "code": code}]}


def _actor(role: Resource = _IRCP, **reference: Any) -> Resource:
    return {"role": role, "reference": {"identifier": REVIEWER} | reference}


_LIMITS: dict[str, tuple[Change, str]] = {
    "words beside OPTIN": (
        top(policyRule=OPTIN | {"text": "only if my son agrees"}),
        "Consent.policyRule.text",
    ),
    "an opt-in with restrictions": (
        top(policyRule=_and(OPTIN, "http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTINR")),
        "Consent.policyRule",
    ),
    "an opt-out with exceptions": (
        top(policyRule=_and(OPTOUT, "http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTOUTE")),
        "Consent.policyRule",
    ),
    "a rule of the house": (
        top(policyRule=_and(OPTIN, "https://hospital.example/rules", "only-cardiology")),
        "Consent.policyRule",
    ),
    "words beside the action": (
        nested(action=[_DISCLOSE | {"text": "only the left hand"}]),
        f"{CHILD}.action[0].text",
    ),
    "another action beside it": (
        nested(action=[_and(_DISCLOSE, "https://hospital.example/actions", "by-hand")]),
        f"{CHILD}.action[0]",
    ),
    "words beside the role": (
        nested(actor=[_actor(_IRCP | {"text": "only orally"})]),
        f"{CHILD}.actor[0].role.text",
    ),
    "another role beside it": (
        nested(actor=[_actor(_and(_IRCP, "https://hospital.example/roles", "reader"))]),
        f"{CHILD}.actor[0].role",
    ),
    "words beside a code": (
        nested(code=[_BREAST | {"text": "of 2026 only"}]),
        f"{CHILD}.code[0].text",
    ),
    "a recipient that is a device": (
        nested(actor=[_actor(type="Device")]),
        f"{CHILD}.actor[0].reference.type",
    ),
    "a type that is not the reference's": (
        nested(actor=[_actor(type="Organization", reference="Practitioner/7")]),
        f"{CHILD}.actor[0].reference.type",
    ),
}


@pytest.mark.parametrize(("change", "at"), _LIMITS.values(), ids=_LIMITS)
def test_what_might_limit_a_permit_is_refused(change: Change, at: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(change))
    assert refusal.value.at == at


@pytest.mark.parametrize(
    "change",
    [
        top(policyRule=OPTIN | {"text": "OPTIN"}),
        nested(action=[_DISCLOSE | {"text": "disclose"}]),
        nested(code=[_BREAST | {"text": " mammography "}]),
        nested(actor=[_actor(type="Organization")]),
        nested(actor=[_actor(type="Organization", reference="Organization/7")]),
        nested(type="deny", actor=[_actor(_IRCP | {"text": "also orally"}, type="Device")]),
        nested(type="deny", action=[_DISCLOSE | {"text": "whatever it is"}]),
        nested(type="deny", code=[_BREAST | {"text": "of 2026 only"}]),
    ],
)
def test_words_that_limit_no_permit_are_read(change: Change) -> None:
    assert read(changed(change)).provision is not None
