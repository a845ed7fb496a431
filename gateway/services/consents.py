"""Load every consent of a patient and ask the domain; anything that goes wrong means: not sent."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.provenance import check_is_about_no_consent
from gateway.domain.consent import Consent, Decision, DisclosureRequest, Item, Outcome, Recipient, decide, indeterminate
from gateway.domain.delivery import Flow
from gateway.domain.errors import GatewayError
from gateway.domain.party import Party
from gateway.domain.record import Case
from gateway.domain.resource import StoredResource
from gateway.services.patients import patient_of
from gateway.store import deliveries, parties, resources


@dataclass(frozen=True)
class Recorded:
    """A decision on a disclosure to the recipient, and the id under which it was kept."""

    id: str
    decision: Decision
    recipient: Party

    @property
    def is_permit(self) -> bool:
        """True for a permit; deny and indeterminate are both: not sent."""
        return self.decision.outcome is Outcome.PERMIT

    @property
    def is_denied(self) -> bool:
        """True for a deny, which stands until a consent changes; indeterminate is asked again."""
        return self.decision.outcome is Outcome.DENY


def provenance_stored(_connection: Connection, stored: StoredResource) -> None:
    """Effect of a Provenance: none on any decision, so one that may speak of a consent is refused, not ignored.

    Raises Unprocessable when a target is a Consent, or does not say what it is.
    """
    check_is_about_no_consent(stored.content)


@dataclass(frozen=True)
class Ground:
    """What every decision on a case rests on: its patient's consents, or the one decision there can be without."""

    consents: tuple[Consent, ...] = ()
    foregone: Decision | None = None


def ground_of(connection: Connection, case: Case) -> Ground:
    """As it is in the current transaction, which has locked the case row."""
    try:
        if not _is_patient_still(connection, case):
            reason = "the patient's record is not active or was merged into another one; order under that one"
            return Ground(foregone=Decision(Outcome.DENY, (reason,), (), None))
        return Ground(tuple(_load(connection, case)))
    except GatewayError as exc:
        reason = f"a consent could not be read ({type(exc).__name__}); nothing is sent until it can"
        return Ground(foregone=indeterminate(reason))


def decide_and_record(
    connection: Connection,
    case: Case,
    ground: Ground,
    *,
    flow: Flow,
    stage: str,
    recipient: Party,
    items: tuple[Item, ...],
    payload_sha256: str,
    delivery_id: str | None,
    now: datetime,
) -> Recorded:
    """Decide in the current transaction, so that a revocation is before it or after it and never in between."""
    decision = decide_on(connection, case, ground, flow=flow, recipient=recipient, items=items, now=now)
    decision_id = deliveries.add_decision(
        connection,
        case_id=case.id,
        delivery_id=delivery_id,
        flow=flow,
        stage=stage,
        outcome=decision.outcome,
        reasons=decision.reasons,
        consents=[(used.id, used.version) for used in decision.consents],
        payload_sha256=payload_sha256,
        valid_until=decision.valid_until,
        now=now,
    )
    return Recorded(decision_id, decision, recipient)


def decide_on(
    connection: Connection,
    case: Case,
    ground: Ground,
    *,
    flow: Flow,
    recipient: Party,
    items: tuple[Item, ...],
    now: datetime,
) -> Decision:
    """The decision alone; nothing is kept of it."""
    if ground.foregone is not None:
        return ground.foregone
    clinic = parties.party_by_id(connection, case.clinic_id)
    references = resources.carrying(connection, case.clinic_id, recipient.identifiers)
    request = DisclosureRequest(
        flow=flow,
        patient_references=frozenset({f"Patient/{case.patient_id}"}),
        patient_identifiers=frozenset(resources.identifiers(connection, case.clinic_id, case.patient_id)),
        recipient=Recipient(frozenset(recipient.identifiers), frozenset(references), recipient.country),
        items=items,
        now=now,
        zone=ZoneInfo(clinic.time_zone),
    )
    return decide(ground.consents, request)


def _is_patient_still(connection: Connection, case: Case) -> bool:
    """A merged-away patient is not a patient."""
    patient = patient_of(connection, case)
    return patient.is_active and not patient.replaced_by


def _load(connection: Connection, case: Case) -> list[Consent]:
    stored = resources.referring(connection, case.clinic_id, "Consent", case.patient_id)
    return [consent_from_fhir(one.content, id=one.id, version=one.version, stored_at=one.stored_at) for one in stored]
