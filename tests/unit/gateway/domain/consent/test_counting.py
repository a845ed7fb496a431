"""Which consents count: rules 1 to 3, and what a decision rests on."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.domain.consent import (
    Coding,
    Consent,
    ConsentVersion,
    Outcome,
    PartyReference,
    Policy,
    PolicyRule,
    decide,
    indeterminate,
)
from gateway.domain.consent.vocabulary import CONSENT_SCOPE
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.builders import (
    DISCLOSE,
    OPTIN,
    OPTOUT,
    OTHER,
    PATHOLOGY,
    PCF,
    RETURN,
    STUDY,
    SUMMARY,
    bare,
    consent,
    deny,
    permit,
    purposes,
    request,
)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "inactive"}, "its status is inactive"),
        ({"status": "rejected"}, "its status is rejected"),
        ({"status": "draft"}, "its status is draft"),
        ({"status": "proposed"}, "its status is proposed"),
        ({"status": "entered-in-error"}, "its status is entered-in-error"),
        ({"scope": frozenset({Coding(CONSENT_SCOPE, "treatment")})}, "its scope"),
        ({"scope": frozenset({Coding("urn:other", "patient-privacy")})}, "its scope"),
        ({"scope": frozenset()}, "its scope"),
        ({"policy": Policy()}, "no policy that is known"),
        ({"policy": Policy(PolicyRule.OTHER, DISCLOSE.flows)}, "no policy that is known"),
        ({"policy": RETURN}, "another flow than disclose-to-reviewer"),
        ({"has_signature_or_source": False}, "neither a signature nor a source"),
    ],
)
def test_what_does_not_count_neither_permits_nor_denies(changes: dict[str, Any], why: str) -> None:
    alone = decide([replace(consent(), **changes)], request())
    assert alone.outcome is Outcome.DENY
    assert alone.consents == (ConsentVersion("c1", 1),)
    assert why in alone.steps[0].why
    assert (why in " ".join(alone.reasons)) == (changes != {"policy": RETURN})
    beside = decide([replace(consent(deny()), **{"policy": OPTIN, **changes}), consent(id="c2")], request())
    assert beside.outcome is Outcome.PERMIT


@pytest.mark.parametrize("policy", [DISCLOSE, OPTIN, PCF, Policy(flows=DISCLOSE.flows | RETURN.flows)])
def test_a_known_policy_counts(policy: Policy) -> None:
    assert decide([consent(policy=policy)], request()).outcome is Outcome.PERMIT


def test_no_consent_at_all_denies() -> None:
    decision = decide([], request())
    assert decision.outcome is Outcome.DENY
    assert decision.reasons == ("No consent of this patient is on file.",)
    assert decision.consents == ()
    assert decision.valid_until is None


def test_nothing_to_send_is_no_permit() -> None:
    decision = decide([consent()], replace(request(), items=()))
    assert decision.outcome is Outcome.DENY
    assert decision.reasons[0] == "The request names no item."


@pytest.mark.parametrize(
    ("patient", "permits", "denies"),
    [
        (PartyReference("Patient/p1"), True, True),
        (PartyReference("Patient/p2"), False, False),
        (PartyReference("Patient/merged"), True, True),
        (PartyReference(identifier=Identifier("urn:mrn", "1")), True, True),
        (PartyReference(identifier=Identifier("urn:mrn", "2")), False, False),
        (PartyReference(identifier=Identifier("urn:passport", "1")), False, True),
        (PartyReference("Patient/p1", Identifier("urn:mrn", "2")), False, True),
        (PartyReference("Patient/p1", Identifier("urn:passport", "1")), True, True),
        (PartyReference("https://elsewhere/fhir/Patient/p1"), False, True),
        (PartyReference(), False, True),
    ],
)
def test_whose_consent_it_is(patient: PartyReference, permits: bool, denies: bool) -> None:
    asked = request(patient_references=frozenset({"Patient/p1", "Patient/merged"}))
    assert (decide([consent(patient=patient)], asked).outcome is Outcome.PERMIT) is permits
    dissent = consent(deny(), OPTIN, patient=patient)
    assert (decide([dissent, consent(id="c2")], asked).outcome is Outcome.DENY) is denies


def test_an_unresolved_patient_is_indeterminate() -> None:
    asked = request(patient_references=frozenset(), patient_identifiers=frozenset())
    assert decide([consent()], asked).outcome is Outcome.INDETERMINATE


def test_one_version_with_two_contents_is_indeterminate() -> None:
    decision = decide([consent(), consent(deny())], request())
    assert decision.outcome is Outcome.INDETERMINATE
    assert "Consent c1 version 1" in decision.reasons[0]
    assert decide([consent(), consent()], request()).outcome is Outcome.PERMIT


def test_what_could_not_be_loaded_is_indeterminate() -> None:
    decision = indeterminate("The store did not answer.")
    assert decision.outcome is Outcome.INDETERMINATE
    assert (decision.reasons, decision.consents) == (("The store did not answer.",), ())


def test_only_the_newest_version_is_read() -> None:
    revoked = consent(version=2, status="inactive", provision=None)
    for order in ([consent(), revoked], [revoked, consent()]):
        decision = decide(order, request())
        assert decision.outcome is Outcome.DENY
        assert decision.consents == (ConsentVersion("c1", 2),)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        request(now=datetime.fromisoformat("2026-03-10T12:00:00"))


@pytest.mark.parametrize(("is_recorded", "outcome"), [(True, Outcome.PERMIT), (False, Outcome.DENY)])
def test_a_representative_permits_only_with_recorded_authority(is_recorded: bool, outcome: Outcome) -> None:
    given = consent(is_by_representative=True, is_authority_recorded=is_recorded)
    assert decide([given], request()).outcome is outcome


def test_a_representative_denies_in_any_case() -> None:
    dissent = consent(deny(), OPTIN, is_by_representative=True)
    assert decide([dissent, consent(id="c2")], request()).outcome is Outcome.DENY


def test_the_decision_rests_on_what_permits() -> None:
    silent = consent(permit(purposes=purposes("HRESCH")), id="a")
    decision = decide([consent(id="b", version=3), silent, consent(id="c")], request())
    assert decision.consents == (ConsentVersion("b", 3), ConsentVersion("c", 1))
    assert decision.reasons == (
        "Consent b version 3, Consent.provision, permits all items (1).",
        "Consent c version 1, Consent.provision, permits all items (1).",
    )


def test_the_decision_rests_on_what_denies() -> None:
    partial = consent(permit(deny(classes=frozenset({"DocumentReference"}))), id="a")
    decision = decide(
        [consent(id="b"), partial, consent(None, OPTOUT, id="c", status="inactive")], request(STUDY, PATHOLOGY)
    )
    assert decision.outcome is Outcome.DENY
    assert decision.consents == (ConsentVersion("a", 1),)
    assert decision.reasons == (
        "Consent a version 1, Consent.provision.provision[0], denies 1 of 2 items (DocumentReference/d1).",
    )


def test_where_nothing_permits_every_reason_is_told() -> None:
    near = consent(permit(purposes=purposes("HRESCH")), id="a")
    decision = decide([near, consent(id="b", status="inactive")], request(STUDY, SUMMARY))
    assert decision.consents == (ConsentVersion("a", 1), ConsentVersion("b", 1))
    assert decision.reasons == (
        "No consent permits all items (2) to leave (disclose-to-reviewer).",
        "Consent b version 1 does not count: its status is inactive, not active.",
        "Consent a version 1, Consent.provision (permit), does not apply: Consent.provision names another purpose.",
    )


def test_a_consent_for_one_flow_says_nothing_of_the_other() -> None:
    to_clinic = request(flow=Flow.RETURN_TO_CLINIC)
    assert decide([consent(policy=DISCLOSE)], to_clinic).outcome is Outcome.DENY
    assert decide([consent(policy=RETURN)], to_clinic).outcome is Outcome.PERMIT


NOTHING_PERMITS = "No consent permits all items (1) to leave (disclose-to-reviewer)."


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(consent(policy=RETURN), id="another flow"),
        pytest.param(consent(policy=RETURN, status="inactive"), id="another flow, and taken back"),
        pytest.param(consent(permit(recipients=(OTHER,))), id="another recipient"),
        pytest.param(consent(permit(recipients=(OTHER,)), status="inactive"), id="another recipient, and taken back"),
        pytest.param(consent(bare(permit(recipients=(OTHER,)), deny(recipients=(OTHER,)))), id="nested"),
    ],
)
def test_a_consent_that_speaks_of_others_is_no_reason(other: Consent) -> None:
    decision = decide([other], request())
    assert decision.reasons == (NOTHING_PERMITS,)
    assert decision.consents == (other.key,)


def test_a_permit_that_forgot_its_recipient_is_a_reason() -> None:
    _, reason = decide([consent(permit(recipients=()))], request()).reasons
    assert "a permit has to name recipient and purpose" in reason


def test_a_consent_taken_back_says_since_when() -> None:
    revoked = consent(version=2, status="inactive", stored_at=datetime(2026, 3, 9, 21, 30, tzinfo=UTC))
    assert decide([revoked], request()).reasons == (
        NOTHING_PERMITS,
        "Consent c1 version 2 does not count: its status is inactive, not active, since 2026-03-10T00:30:00+03:00.",
    )
