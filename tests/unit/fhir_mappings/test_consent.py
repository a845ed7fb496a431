"""R4 Consent -> domain Consent: what is read, what is refused and with which words, and what it then decides."""

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.validation import check_resource
from gateway.domain.consent import (
    Coding,
    Consent,
    Decision,
    DisclosureRequest,
    Effect,
    Item,
    Moment,
    Outcome,
    PartyReference,
    Period,
    Policy,
    PolicyRule,
    Provision,
    Recipient,
    decide,
)
from gateway.domain.consent.vocabulary import ACT_REASON, CONSENT_ACTION, CONSENT_SCOPE
from gateway.domain.delivery import Flow
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.party import Identifier
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

ROOT = "Consent.provision"
CHILD = "Consent.provision.provision[0]"
OPTOUT = concept("v3-ActCode", "OPTOUT")
TYPES = "http://hl7.org/fhir/resource-types"
Change = Callable[[Resource], object]


def read(resource: Resource, **facts: Any) -> Consent:
    return consent_from_fhir(resource, id="c1", version=1, **facts)


def changed(change: Change, base: Callable[[], Resource] = disclose_consent) -> Resource:
    """An example with a change made to it in place."""
    resource = copy.deepcopy(base())
    change(resource)
    return resource


def at_root(**elements: Any) -> Change:
    return lambda resource: resource["provision"].update(elements)


def nested(**elements: Any) -> Change:
    return lambda resource: resource["provision"]["provision"][0].update(elements)


def top(**elements: Any) -> Change:
    return lambda resource: resource.update(elements)


def without(*names: str) -> Change:
    return lambda resource: [resource.pop(name) for name in names]


@pytest.mark.parametrize("example", [disclose_consent, return_consent])
def test_the_examples_are_valid_r4(example: Callable[[], Resource]) -> None:
    check_resource(example(), {"Consent"})


def test_the_disclose_consent_whole() -> None:
    permit = Provision(
        Effect.PERMIT,
        recipients=(PartyReference(identifier=Identifier(REVIEWER["system"], REVIEWER["value"])),),
        actions=frozenset({Coding(CONSENT_ACTION, "disclose")}),
        purposes=frozenset({Coding(ACT_REASON, "TREAT")}),
        classes=frozenset({"ImagingStudy", "DocumentReference"}),
    )
    year = Period(Moment.parse("2026-01-01"), Moment.parse("2026-12-31"))
    assert read(disclose_consent()) == Consent(
        id="c1",
        version=1,
        patient=PartyReference("Patient/p1"),
        status="active",
        scope=frozenset({Coding(CONSENT_SCOPE, "patient-privacy")}),
        policy=Policy(flows=frozenset({Flow.DISCLOSE_TO_REVIEWER})),
        has_signature_or_source=True,
        identifiers=frozenset({Identifier("https://ehr.example.org/consents", "CONSENT-2026-0041-D")}),
        date_time=Moment.parse("2026-01-01T09:30:00+03:00"),
        provision=Provision(period=year, provisions=(permit,)),
    )


def test_the_return_consent() -> None:
    consent = read(return_consent())
    assert consent.policy == Policy(flows=frozenset({Flow.RETURN_TO_CLINIC}))
    assert consent.provision is not None
    assert consent.provision.type is Effect.PERMIT
    assert consent.provision.purposes == {Coding(ACT_REASON, "COC")}


def asked(flow: Flow, party: Resource, *items: Item, at: str = "2026-06-01T12:00:00+03:00") -> DisclosureRequest:
    return DisclosureRequest(
        flow=flow,
        patient_references=frozenset({"Patient/p1"}),
        patient_identifiers=frozenset(),
        recipient=Recipient(frozenset({Identifier(party["system"], party["value"])}), frozenset(), "DE"),
        items=items,
        now=datetime.fromisoformat(at),
        zone=ZoneInfo("Europe/Istanbul"),
    )


STUDY, PATHOLOGY, REPORT = Item("s1", "ImagingStudy"), Item("d1", "DocumentReference"), Item("r1", "DiagnosticReport")


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY, PATHOLOGY), Outcome.PERMIT),
        (asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY, at="2026-12-31T23:59:59+03:00"), Outcome.PERMIT),
        (asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY, at="2027-01-01T00:00:00+03:00"), Outcome.DENY),
        (asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY, REPORT), Outcome.DENY),
        (asked(Flow.DISCLOSE_TO_REVIEWER, CLINIC, STUDY), Outcome.DENY),
        (asked(Flow.RETURN_TO_CLINIC, CLINIC, REPORT), Outcome.PERMIT),
        (asked(Flow.RETURN_TO_CLINIC, REVIEWER, REPORT), Outcome.DENY),
    ],
)
def test_the_two_together(request_: DisclosureRequest, outcome: Outcome) -> None:
    pair = [read(disclose_consent()), consent_from_fhir(return_consent(), id="c2", version=1)]
    assert _both(pair, request_).outcome is outcome


def _both(pair: list[Consent], request: DisclosureRequest) -> Decision:
    decision = decide(pair, request)
    assert decide(pair[::-1], request) == decision
    return decision


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


@pytest.mark.parametrize("bounds", [{"start": "2026-03-31", "end": "2026-03-31"}, {"start": "2026-03", "end": "2026"}])
def test_a_period_inside_one_day_or_year_is_not_backwards(bounds: Resource) -> None:
    assert read(changed(at_root(period=bounds))).provision is not None


def test_periods_of_different_precision_are_left_to_the_decision() -> None:
    mixed = {"start": "2026-04-01T00:00:00+03:00", "end": "2026-03-31"}
    assert read(changed(at_root(period=mixed))).provision is not None


@pytest.mark.parametrize("status", ["inactive", "rejected", "draft", "proposed", "entered-in-error"])
def test_what_is_not_active_is_never_refused_for_what_it_says(status: str) -> None:
    revoked = changed(nested(securityLabel=[coding("v3-Confidentiality", "R")])) | {"status": status}
    consent = read(revoked | {"policy": [{"uri": "https://example.org/x"}], "scope": {"text": "privacy"}})
    assert (consent.status, consent.provision) == (status, None)
    assert consent.identifiers


@pytest.mark.parametrize("scope", ["treatment", "research", "adr"])
def test_a_consent_of_another_scope_is_kept_and_ignored(scope: str) -> None:
    consent = read(changed(top(scope=concept("consentscope", scope), policy=[{"uri": "https://example.org/x"}])))
    assert consent.provision is None
    (reason, why) = decide([consent], asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY)).reasons
    assert reason.startswith("No consent permits")
    assert "its scope is not patient-privacy" in why


@pytest.mark.parametrize(
    ("change", "has_source"),
    [
        (top(), True),
        (without("sourceReference"), False),
        (top(sourceReference={"display": "the form in the drawer"}), False),
        (top(sourceReference={"identifier": CLINIC}), True),
    ],
)
def test_the_source_document(change: Change, has_source: bool) -> None:
    resource = changed(change)
    assert read(resource).has_signature_or_source is has_source
    assert read(resource, is_signed=True).has_signature_or_source


@pytest.mark.parametrize(
    ("attachment", "has_source"),
    [({"data": "cGRm"}, True), ({"url": "Binary/1"}, True), ({"title": "Form"}, False)],
)
def test_the_source_as_an_attachment(attachment: Resource, has_source: bool) -> None:
    resource = changed(without("sourceReference")) | {"sourceAttachment": attachment}
    assert read(resource).has_signature_or_source is has_source


@pytest.mark.parametrize(
    ("performer", "is_by_representative"),
    [
        (None, False),
        ([{"reference": "Patient/p1"}], False),
        ([{"reference": "Patient/p1/_history/3"}], False),
        ([{"reference": "Patient/p2"}], True),
        ([{"reference": "RelatedPerson/mother"}], True),
        ([{"reference": "RelatedPerson/mother"}, {"reference": "Patient/p1"}], False),
        ([{"reference": "Organization/clinic"}], False),
        ([{"reference": "Practitioner/witness"}], False),
        ([{"type": "PractitionerRole", "identifier": CLINIC}], False),
        ([{"reference": "Practitioner/witness"}, {"reference": "RelatedPerson/mother"}], True),
        ([{"display": "the mother"}], True),
    ],
)
def test_who_agreed(performer: list[Resource] | None, is_by_representative: bool) -> None:
    resource = changed(without("performer")) | ({"performer": performer} if performer else {})
    assert read(resource).is_by_representative is is_by_representative


def test_the_patient_by_identifier() -> None:
    mrn = {"system": "urn:mrn", "value": "1"}
    consent = read(changed(top(patient={"identifier": mrn}, performer=[{"identifier": mrn}])))
    assert consent.patient == PartyReference(identifier=Identifier("urn:mrn", "1"))
    assert not consent.is_by_representative


@pytest.mark.parametrize(
    ("performer", "is_by_representative"),
    [
        ({"identifier": CLINIC}, False),
        ({"reference": "Patient/p2", "identifier": CLINIC}, True),
        ({"identifier": REVIEWER}, True),
    ],
)
def test_who_agreed_by_identifier(performer: Resource, is_by_representative: bool) -> None:
    patient = {"reference": "Patient/p1", "identifier": CLINIC}
    consent = read(changed(top(patient=patient, performer=[performer])))
    assert consent.is_by_representative is is_by_representative


def test_facts_from_outside_the_resource() -> None:
    consent = read(disclose_consent(), is_authority_recorded=True, supersedes=frozenset({"c0"}))
    assert consent.is_authority_recorded
    assert consent.supersedes == {"c0"}


def test_another_policy_may_stand_beside_one_that_is_known() -> None:
    law = {"uri": "https://example.org/law/6698"}
    consent = read(changed(lambda one: one["policy"].append(law)))
    assert consent.policy == Policy(flows=frozenset({Flow.DISCLOSE_TO_REVIEWER}))


def test_a_policy_rule_alone() -> None:
    consent = read(changed(without("policy")) | {"policyRule": OPTOUT})
    assert consent.policy == Policy(PolicyRule.OPTOUT)


def test_a_dissent_needs_no_provision() -> None:
    consent = read(changed(without("policy", "provision")) | {"policyRule": OPTOUT})
    assert (consent.provision, consent.root_effect) == (None, Effect.DENY)


def test_every_element_of_a_provision() -> None:
    resource = changed(
        nested(
            actor=[recipient(REVIEWER, "Organization/7/_history/2")],
            code=[{"coding": [{"system": "http://loinc.org", "code": "1"}, {"system": "urn:sct", "code": "2"}]}],
            dataPeriod={"start": "2025"},
            data=[{"meaning": "instance", "reference": {"reference": "DocumentReference/d1"}}],
            period={"end": "2026-06"},
        )
    )
    root = read(resource).provision
    assert root is not None
    (permit,) = root.provisions
    named = Identifier(REVIEWER["system"], REVIEWER["value"])
    assert permit.recipients == (PartyReference("Organization/7", named),)
    assert permit.codes == (frozenset({Coding("http://loinc.org", "1"), Coding("urn:sct", "2")}),)
    assert permit.data_period == Period(start=Moment.parse("2025"))
    assert permit.data == {"DocumentReference/d1"}
    assert permit.period == Period(end=Moment.parse("2026-06"))


NOBODY = recipient() | {"reference": {"display": "my former employer"}}


@pytest.mark.parametrize(
    "elements",
    [
        {"actor": [NOBODY]},
        {"actor": [recipient({"value": "no system"})]},
        {"purpose": [{"system": "urn:local", "code": "x"}]},
        {"purpose": [{"display": "whatever"}]},
        {"action": [{"text": "passing it on"}]},
        {"action": [concept("consentaction", "transmit")]},
    ],
)
def test_a_denial_that_cannot_be_resolved_is_kept_and_hits(elements: dict[str, Any]) -> None:
    resource = changed(nested(provision=[{"type": "deny"} | elements]))
    decision = decide([read(resource)], asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY))
    assert decision.outcome is Outcome.DENY
    assert f"{CHILD}.provision[0], denies all items" in decision.reasons[0]


def test_a_dissent_by_policy_rule_may_be_inexact() -> None:
    resource = changed(without("policy"))
    dissent = resource | {"policyRule": OPTOUT, "provision": {"type": "deny", "actor": [NOBODY]}}
    permit = consent_from_fhir(disclose_consent(), id="c2", version=1)
    asked_ = asked(Flow.DISCLOSE_TO_REVIEWER, REVIEWER, STUDY)
    assert decide([read(dissent), permit], asked_).outcome is Outcome.DENY


def test_an_action_is_taken_from_the_system_that_is_known() -> None:
    both = {"coding": [{"system": "urn:local", "code": "share"}, coding("consentaction", "disclose")]}
    root = read(changed(nested(action=[both]))).provision
    assert root is not None
    assert root.provisions[0].actions == {Coding(CONSENT_ACTION, "disclose")}


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


def test_the_input_is_left_as_it_was() -> None:
    resource = disclose_consent()
    read(resource)
    assert resource == disclose_consent()
