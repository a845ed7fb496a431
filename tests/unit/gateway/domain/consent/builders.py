"""Consents and requests for the decision tests: a complete one each, of which a test changes what it is about."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway.domain.consent import (
    Coding,
    Consent,
    DisclosureRequest,
    Effect,
    Item,
    Look,
    Moment,
    NamedResource,
    PartyReference,
    Period,
    Policy,
    PolicyRule,
    Provision,
    Recipient,
)
from gateway.domain.consent.vocabulary import ACT_REASON, CONSENT_ACTION, CONSENT_SCOPE
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier

ISTANBUL, BERLIN = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 10, 12, tzinfo=ISTANBUL)

PATIENT = PartyReference("Patient/p1")
REVIEWER = PartyReference("Organization/reviewer")
INSURER = Look(1, frozenset({Identifier("urn:org", "insurer")}))
BOARD = Look(1, frozenset({Identifier("urn:org", "reviewer")}))
OTHER = PartyReference("Organization/insurer", resource=NamedResource(INSURER, INSURER))
NOBODY = PartyReference()

OPTIN, OPTOUT = Policy(PolicyRule.OPTIN), Policy(PolicyRule.OPTOUT)
DISCLOSE = Policy(flows=frozenset({Flow.DISCLOSE_TO_REVIEWER}))
RETURN = Policy(flows=frozenset({Flow.RETURN_TO_CLINIC}))
PCF = Policy(is_root_decisive=True)

LOINC = "http://loinc.org"
NO_LABELS: frozenset[Coding] = frozenset()
STUDY = Item("s1", "ImagingStudy", frozenset({Coding("urn:modality", "CT")}), date(2026, 2, 1), labels=NO_LABELS)
PATHOLOGY = Item("d1", "DocumentReference", frozenset({Coding(LOINC, "60568-3")}), date(2026, 1, 15), labels=NO_LABELS)


def purposes(*codes: str) -> frozenset[Coding]:
    return frozenset(Coding(ACT_REASON, code) for code in codes)


def actions(*codes: str) -> frozenset[Coding]:
    return frozenset(Coding(CONSENT_ACTION, code) for code in codes)


def period(start: str = "", end: str = "") -> Period:
    return Period(Moment.parse(start) if start else None, Moment.parse(end) if end else None)


def permit(*nested: Provision, **changes: Any) -> Provision:
    """A permit that names the reviewer and treatment."""
    full = Provision(Effect.PERMIT, recipients=(REVIEWER,), purposes=purposes("TREAT"), provisions=nested)
    return replace(full, **changes)


def deny(*nested: Provision, **changes: Any) -> Provision:
    return replace(Provision(Effect.DENY, provisions=nested), **changes)


def bare(*nested: Provision, **changes: Any) -> Provision:
    """A root without a type."""
    return replace(Provision(provisions=nested), **changes)


def consent(provision: Provision | None = None, policy: Policy = DISCLOSE, **changes: Any) -> Consent:
    """An active, signed consent in scope; without a provision given it permits the reviewer."""
    full = Consent(
        id="c1",
        version=1,
        patient=PATIENT,
        status="active",
        scope=frozenset({Coding(CONSENT_SCOPE, "patient-privacy")}),
        policy=policy,
        has_signature_or_source=True,
        date_time=Moment.parse("2026-03-01"),
        provision=permit() if provision is None else provision,
    )
    return replace(full, **changes)


RECIPIENT = Recipient(
    identifiers=frozenset({Identifier("urn:org", "reviewer"), Identifier("urn:tax", "77")}),
    references=frozenset({"Organization/reviewer"}),
    country="DE",
)


def request(*items: Item, **changes: Any) -> DisclosureRequest:
    """The study to the reviewer, on 10 March 2026 at noon in Istanbul."""
    full = DisclosureRequest(
        flow=Flow.DISCLOSE_TO_REVIEWER,
        patient_references=frozenset({"Patient/p1"}),
        patient_identifiers=frozenset({Identifier("urn:mrn", "1")}),
        recipient=RECIPIENT,
        items=items or (STUDY,),
        now=NOON,
        zone=ISTANBUL,
        payload_sha256="",
        custodian_country="DE",
        transfer_instruments=(),
    )
    return replace(full, **changes)
