"""Whether something of a delivery may be at its destination although nobody has said so."""

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import NotFound
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.store import audit, deliveries, outbox


def may_have_left(connection: Connection, delivery: Delivery, job: Job) -> bool:
    """True after an answer that did not come, a worker that ended without a word under a grant, a restored backup."""
    has_vanished = outbox.has_unended(connection, job, since=delivery.sent_anew_at)
    if delivery.is_ambiguous or (has_vanished and deliveries.has_been_granted(connection, delivery.id)):
        return True
    restored_at = audit.restored_at(connection, delivery.case_id)
    return restored_at is not None and (delivery.sent_anew_at is None or delivery.sent_anew_at < restored_at)


def leaves_doubt(connection: Connection, job: Job) -> bool:
    """The same of a sending that is given up; False where its delivery was destroyed meanwhile."""
    try:
        delivery = deliveries.by_id(connection, job.subject_id)
    except NotFound:
        return False
    return may_have_left(connection, delivery, job)


def stuck(*, is_in_doubt: bool) -> dict[str, object]:
    """What becomes of a delivery that is not tried again by itself; where it may have left, a person looks there."""
    return {"state": DeliveryState.AMBIGUOUS, "is_ambiguous": True} if is_in_doubt else {"state": DeliveryState.FAILED}
