"""R4 Consent -> domain Consent: what is read, what is refused and with which words, and what it then decides."""

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
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier
from tests.unit.fhir_mappings.consent_changes import CHILD, OPTOUT, Change, at_root, changed, nested, read, top, without
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
        payload_sha256="",
        custodian_country="DE",
        transfer_instruments=(),
    )


STUDY, PATHOLOGY, REPORT = (
    Item(item_id, resource_class, labels=frozenset())
    for item_id, resource_class in (("s1", "ImagingStudy"), ("d1", "DocumentReference"), ("r1", "DiagnosticReport"))
)


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


def test_a_revocation_still_tells_whom_the_consent_spoke_of() -> None:
    given = disclose_consent()
    assert read(given | {"status": "inactive"}).provision == read(given).provision


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
        (top(sourceReference={"identifier": CLINIC}), False),
        (top(sourceReference={"reference": "https://ehr.example/fhir/DocumentReference/d1"}), False),
        (top(sourceReference={"reference": "Contract/c1"}), False),
        (top(sourceReference={"reference": "DocumentReference/d1/_history/2"}), True),
    ],
)
def test_the_source_document(change: Change, has_source: bool) -> None:
    resource = changed(change)
    assert read(resource).has_signature_or_source is has_source
    assert read(resource, is_signed=True).has_signature_or_source


@pytest.mark.parametrize(
    ("attachment", "has_source"),
    [
        ({"data": "cGRm"}, True),
        ({"data": "cGRm", "url": "https://ehr.example/forms/1"}, True),
        ({"url": "Binary/1"}, True),
        ({"url": "https://ehr.example/forms/1"}, False),
        ({"url": "https://ehr.example/forms/1", "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, False),
        ({"title": "Form"}, False),
    ],
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
        ([{"reference": "Organization/youth-welfare"}], True),
        ([{"reference": "Practitioner/witness"}], True),
        ([{"type": "Organization", "identifier": CLINIC}], False),
        ([{"type": "Practitioner", "identifier": REVIEWER}], False),
        ([{"type": "Practitioner", "identifier": REVIEWER}, {"reference": "Organization/youth-welfare"}], True),
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


def test_no_policy_that_is_not_known_stands_beside_one_that_is() -> None:
    law = {"uri": "https://example.org/law/6698"}
    with pytest.raises(Unprocessable, match="name the law as its authority") as caught:
        read(changed(lambda one: one["policy"].append(law)))
    assert caught.value.at == "Consent.policy[1].uri"


def test_a_law_may_stand_beside_a_policy_as_an_authority() -> None:
    law = {"authority": "https://example.org/law/6698"}
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


def test_the_action_of_a_denial_is_taken_from_the_system_that_is_known() -> None:
    both = {"coding": [{"system": "urn:local", "code": "share"}, coding("consentaction", "disclose")]}
    root = read(changed(nested(type="deny", action=[both]))).provision
    assert root is not None
    assert root.provisions[0].actions == {Coding(CONSENT_ACTION, "disclose")}


def test_the_input_is_left_as_it_was() -> None:
    resource = disclose_consent()
    read(resource)
    assert resource == disclose_consent()
