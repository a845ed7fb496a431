"""A consent came, changed or went: what waited for it looks again, what rested on it stops, what left is recalled."""

from collections.abc import Iterable

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Case, Delivery
from gateway.domain.resource import StoredResource
from gateway.services import egress
from gateway.store import audit, cases, deliveries, resources


def consent_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Consent version, in the transaction that stores it and serialised with every grant of its cases.

    Raises Unprocessable when the consent carries an element that the decision does not evaluate.
    """
    consent_from_fhir(stored.content, id=stored.id, version=stored.version)
    for case in _cases_of(connection, stored):
        locked = cases.lock(connection, case.id)
        audit.record(
            connection,
            at=stored.stored_at,
            actor=stored.client_id,
            case_id=case.id,
            action="consent.stored",
            subject=f"Consent/{stored.id}/_history/{stored.version}",
            details={"status": str(stored.content.get("status"))},
        )
        for delivery in deliveries.listed(connection, case_id=case.id):
            if delivery.state not in (DeliveryState.CANCELLED, DeliveryState.FAILED):
                _reconsider(connection, locked, delivery, stored)


def _cases_of(connection: Connection, stored: StoredResource) -> Iterable[Case]:
    for patient_id in resources.targets(connection, stored.id, "patient"):
        yield from cases.listed(connection, patient_id=patient_id, clinic_id=stored.party_id)


def _reconsider(connection: Connection, case: Case, delivery: Delivery, stored: StoredResource) -> None:
    recorded = egress.decide(connection, case, delivery, stage="consent", now=stored.stored_at)
    if not recorded.is_permit:
        _stop(connection, delivery, stored)
    elif delivery.state is DeliveryState.HELD:
        egress.enqueue_next(connection, delivery, now=stored.stored_at)


def _stop(connection: Connection, delivery: Delivery, stored: StoredResource) -> None:
    """Cancel what is being sent; where something may have left already, say so to whoever has to recall it."""
    deliveries.cancel_grants(connection, delivery.id, stored.stored_at)
    if not deliveries.has_been_granted(connection, delivery.id):
        return
    reason = f"consent {stored.id} version {stored.version} no longer permits what may have left already"
    deliveries.add_recall_notice(
        connection,
        case_id=delivery.case_id,
        delivery_id=delivery.id,
        consent_id=stored.id,
        reason=reason,
        now=stored.stored_at,
    )
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        case_id=delivery.case_id,
        action="recall.notice",
        subject=f"delivery/{delivery.id}",
    )
