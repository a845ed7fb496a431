"""A consent came, changed or went: what waited for it looks again, what rested on it stops, what left is recalled."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.patient import patient_from_fhir
from gateway.domain.consent import Consent, Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Unprocessable
from gateway.domain.record import Case, Delivery
from gateway.domain.resource import StoredResource
from gateway.services import egress, recall
from gateway.services.consents import Ground, Recorded, decide_on, ground_of
from gateway.services.disclosure import item_of, recipient_of
from gateway.services.second_look import look_again_at_unmatched
from gateway.store import audit, cases, deliveries, resources


def consent_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Consent version, in the transaction that stores it and serialised with every grant of its cases.

    Raises Unprocessable when the consent carries an element that the decision does not evaluate, or is not tied to a
    Patient of this clinic: a consent that nobody would find is refused, not kept.
    """
    consent_from_fhir(stored.content, id=stored.id, version=stored.version)
    patients = [
        one for one in resources.targets(connection, stored.id, "patient") if _is_patient(connection, stored, one)
    ]
    if len(patients) != 1:
        raise Unprocessable("name the patient as Patient/id of this server", at="Consent.patient")
    for case in cases.listed(connection, patient_id=patients[0], clinic_id=stored.party_id):
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
        _reconsider_case(connection, locked, stored)


def patient_stored(connection: Connection, stored: StoredResource) -> None:
    """Effect of a Patient: what images could not be compared with is refused now, not when they arrive.

    A later version may have merged the patient away, or brought the identifier that a study waits for.
    """
    patient = patient_from_fhir(stored.content)
    if stored.version == 1:
        return
    for case in cases.listed(connection, patient_id=stored.id, clinic_id=stored.party_id):
        _reconsider_case(connection, cases.lock(connection, case.id), stored)
    values = {identifier.value for identifier in patient.identifiers}
    look_again_at_unmatched(connection, stored.party_id, lambda study: study.patient_id in values, now=stored.stored_at)


def redecide(
    connection: Connection, case: Case, delivery: Delivery, *, stage: str, now: datetime, ground: Ground
) -> Recorded:
    """Decide anew: a permit lets what was held go on, anything else cancels the grants. The caller has locked the case.

    What could not be decided is asked again by the delivery's own job.
    """
    recorded = egress.decide(connection, case, delivery, stage=stage, now=now, ground=ground)
    if recorded.is_permit:
        if delivery.state is DeliveryState.HELD:
            egress.enqueue_next(connection, delivery, now=now)
        return recorded
    deliveries.cancel_grants(connection, delivery.id, now)
    if not recorded.is_denied and delivery.state in (DeliveryState.PENDING, DeliveryState.HELD):
        egress.enqueue_next(connection, delivery, now=now)
    return recorded


def _is_patient(connection: Connection, stored: StoredResource, resource_id: str) -> bool:
    return resources.type_of(connection, stored.party_id, resource_id) == "Patient"


def _reconsider_case(connection: Connection, case: Case, stored: StoredResource) -> None:
    ended = (DeliveryState.CANCELLED, DeliveryState.FAILED)
    ground = ground_of(connection, case)
    for delivery in deliveries.listed(connection, case_id=case.id):
        if delivery.state not in ended or deliveries.has_been_granted(connection, delivery.id):
            _reconsider(connection, case, delivery, stored, ground)


def _reconsider(connection: Connection, case: Case, delivery: Delivery, stored: StoredResource, ground: Ground) -> None:
    now = stored.stored_at
    recorded = redecide(connection, case, delivery, stage="consent", now=now, ground=ground)
    if recorded.is_permit:
        consent = f"{stored.id}/{stored.version}"
        recall.withdraw(connection, delivery, now=now, actor=stored.client_id, consent=consent)
        return
    used = {one.id for one in recorded.decision.consents}
    granting = deliveries.granting_consents(connection, delivery.id)
    is_taken_back = stored.id in granting or (stored.id in used and not granting & used)
    if granting and (is_taken_back or _was_permitted(connection, case, delivery, stored, ground)):
        recall.notify(connection, delivery, stored)


def _was_permitted(
    connection: Connection, case: Case, delivery: Delivery, stored: StoredResource, ground: Ground
) -> bool:
    """Whether it would be permitted at this moment had this version not come; what time ended nobody takes back."""
    if stored.type != "Consent" or ground.foregone is not None:
        return False
    others = (one for one in ground.consents if one.id != stored.id)
    decision = decide_on(
        connection,
        case,
        Ground((*others, *_previous(connection, stored))),
        flow=delivery.kind.flow,
        recipient=recipient_of(connection, delivery),
        items=(item_of(connection, case, delivery),),
        now=stored.stored_at,
    )
    return decision.outcome is Outcome.PERMIT


def _previous(connection: Connection, stored: StoredResource) -> Iterator[Consent]:
    """The version that this one replaced, where there was one."""
    if stored.version > 1:
        before = resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)
        yield consent_from_fhir(before.content, id=before.id, version=before.version, stored_at=before.stored_at)
