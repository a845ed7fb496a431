"""What the mapping refuses, at which element, and what it says to send instead."""

import pytest

from gateway.domain.consent import (
    Effect,
    Policy,
)
from gateway.domain.consent.vocabulary import CONSENT_ACTION
from gateway.domain.errors import Invalid, Unprocessable
from tests.unit.fhir_mappings.consent_changes import (
    CHILD,
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
    CLINIC,
    REVIEWER,
    Resource,
    coding,
    concept,
    disclose_consent,
    recipient,
    return_consent,
)

TYPES = "http://hl7.org/fhir/resource-types"
UNREAD = {"url": "https://example.org/only-on-tuesdays", "valueBoolean": True}


@pytest.mark.parametrize(
    ("change", "at", "remedy"),
    [
        (top(implicitRules="https://example.org/rules"), "Consent.implicitRules", "leave it out"),
        (top(modifierExtension=[UNREAD]), "Consent.modifierExtension", "leave it out"),
        (
            lambda one: one["policy"][0].update(modifierExtension=[UNREAD]),
            "Consent.policy[0].modifierExtension",
            "leave",
        ),
        (at_root(modifierExtension=[UNREAD]), f"{ROOT}.modifierExtension", "leave it out"),
        (nested(modifierExtension=[UNREAD]), f"{CHILD}.modifierExtension", "leave it out"),
        (
            lambda one: one["provision"]["provision"][0]["actor"][0].update(modifierExtension=[UNREAD]),
            f"{CHILD}.actor[0].modifierExtension",
            "leave it out",
        ),
        (nested(securityLabel=[coding("v3-Confidentiality", "R")]), f"{CHILD}.securityLabel", "say by class, code"),
        (
            nested(data=[{"meaning": "related", "reference": {"reference": "Encounter/1"}}]),
            f"{CHILD}.data[0].meaning",
            "meaning instance",
        ),
        (
            nested(data=[{"meaning": "instance", "reference": {"identifier": CLINIC}}]),
            f"{CHILD}.data[0].reference",
            "Type/id",
        ),
        (
            nested(data=[{"meaning": "instance", "reference": {"reference": "https://h/fhir/Media/1"}}]),
            f"{CHILD}.data[0].reference",
            "Type/id",
        ),
        (
            nested(
                data=[{"meaning": "instance", "reference": {"reference": "Media/1"}, "modifierExtension": [UNREAD]}]
            ),
            f"{CHILD}.data[0].modifierExtension",
            "leave it out",
        ),
        (nested(**{"class": [{"system": "urn:ietf:bcp:13", "code": "application/cda"}]}), f"{CHILD}.class[0]", TYPES),
        (nested(**{"class": [{"system": TYPES}]}), f"{CHILD}.class[0]", TYPES),
        (nested(code=[{"text": "anything about the voice"}]), f"{CHILD}.code[0]", "codings with system and code"),
        (nested(code=[{"coding": [{"code": "1"}]}]), f"{CHILD}.code[0]", "codings with system and code"),
        (nested(purpose=[coding("v3-ActReason", "PurposeOfUse")]), f"{CHILD}.purpose[0]", "TREAT or COC"),
        (nested(purpose=[{"system": "urn:local", "code": "TREAT"}]), f"{CHILD}.purpose[0]", "TREAT or COC"),
        (nested(action=[{"text": "send it"}]), f"{CHILD}.action[0]", CONSENT_ACTION),
        (nested(action=[concept("consentaction", "transmit")]), f"{CHILD}.action[0]", CONSENT_ACTION),
        (
            nested(action=[{"coding": [coding("consentaction", "use"), coding("consentaction", "disclose")]}]),
            f"{CHILD}.action[0]",
            "one code",
        ),
        (
            nested(actor=[recipient() | {"reference": {"display": "Dr Who"}}]),
            f"{CHILD}.actor[0].reference",
            "identifier",
        ),
        (nested(actor=[recipient(reference="#contained")]), f"{CHILD}.actor[0].reference", "literal reference"),
        (nested(actor=[recipient(reference="urn:uuid:1")]), f"{CHILD}.actor[0].reference", "literal reference"),
        (nested(actor=[recipient({"value": "reviewer-north"})]), f"{CHILD}.actor[0].reference", "system and value"),
        (
            nested(actor=[recipient(REVIEWER) | {"role": concept("v3-ParticipationType", "CST")}]),
            f"{CHILD}.actor[0].role",
            "IRCP",
        ),
        (nested(actor=[recipient(REVIEWER) | {"role": {"text": "recipient"}}]), f"{CHILD}.actor[0].role", "IRCP"),
        (top(policy=[{"uri": "https://example.org/our-own"}]), "Consent.policy", "OPTIN or OPTOUT or one of"),
        (top(policyRule={"text": "our own"}), "Consent.policyRule", "#OPTIN or #OPTOUT"),
        (top(policyRule=concept("v3-ActCode", "OPTINR")), "Consent.policyRule", "#OPTIN or #OPTOUT"),
        (top(policyRule={"coding": [{"system": "urn:x", "code": "OPTIN"}]}), "Consent.policyRule", "#OPTIN"),
        (
            top(policyRule={"coding": [coding("v3-ActCode", "OPTIN"), coding("v3-ActCode", "OPTOUT")]}),
            "Consent.policyRule",
            "#OPTIN",
        ),
        (top(scope={"text": "privacy"}), "Consent.scope", "#patient-privacy"),
        (top(scope={"coding": [{"system": "urn:x", "code": "patient-privacy"}]}), "Consent.scope", "#patient-privacy"),
        (top(patient={"display": "somebody"}), "Consent.patient", "literal reference or an identifier"),
        (top(patient={"reference": "#p"}), "Consent.patient", "literal reference or an identifier"),
        (top(verification=[{"verified": False}]), "Consent.verification[0]", "proposed"),
        (top(verification=[{"verified": True}, {"verified": False}]), "Consent.verification[1]", "proposed"),
        (
            top(verification=[{"verified": True, "modifierExtension": [UNREAD]}]),
            "Consent.verification[0].modifierExtension",
            "",
        ),
    ],
)
def test_what_is_not_evaluated_is_refused(change: Change, at: str, remedy: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(change))
    assert refusal.value.at == at
    assert remedy in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "at", "remedy"),
    [
        (at_root(type="permit"), f"{ROOT}.type", "nest the permit"),
        (at_root(purpose=[coding("v3-ActReason", "TREAT")]), ROOT, "type permit"),
        (at_root(actor=[recipient(REVIEWER)]), ROOT, "type permit"),
        (at_root(dataPeriod={"end": "2025"}), ROOT, "type permit"),
    ],
)
def test_an_optout_that_could_be_read_two_ways_is_refused(change: Change, at: str, remedy: str) -> None:
    resource = changed(change) | {"policyRule": OPTOUT}
    with pytest.raises(Unprocessable) as refusal:
        read(resource)
    assert refusal.value.at == at
    assert remedy in str(refusal.value)


def test_an_optout_that_states_what_it_denies_is_read() -> None:
    resource = changed(at_root(type="deny", actor=[recipient(REVIEWER)])) | {"policyRule": OPTOUT}
    assert read(resource).root_effect is Effect.DENY


def test_under_a_policy_of_pcf_the_root_needs_a_type() -> None:
    policy = [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}]
    with pytest.raises(Unprocessable) as refusal:
        read(changed(top(policy=policy)))
    assert refusal.value.at == f"{ROOT}.type"
    typed = read(changed(top(policy=policy), return_consent))
    assert typed.policy == Policy(is_root_decisive=True)


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
        (top(decision="permit"), "Consent"),
        (top(provision=[{"actor": []}]), "Consent.provision"),
        (top(provision={}), "Consent.provision"),
        (at_root(type="allow"), f"{ROOT}.type"),
        (at_root(kind="x"), ROOT),
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
