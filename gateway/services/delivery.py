"""Send one delivery: grant, send outside any transaction, settle with the receipt (design: promises 2 and 4)."""

from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from gateway.domain import trace
from gateway.domain.delivery import DeliveryKind, DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict, Full, GatewayError, Transient
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.destinations import watched
from gateway.services.outside import Outside
from gateway.services.sending import Permission, Sending
from gateway.services.to_ehr import send_to_ehr
from gateway.services.to_pacs import send_to_pacs
from gateway.services.to_reviewer import send_to_reviewer
from gateway.services.work import Failed, Settlement, sentence_of
from gateway.store import audit, cases, deliveries, outbox

EXITS = {
    DeliveryKind.STUDY_TO_REVIEWER: send_to_reviewer,
    DeliveryKind.DOCUMENT_TO_REVIEWER: send_to_reviewer,
    DeliveryKind.REPORT_TO_EHR: send_to_ehr,
    DeliveryKind.REPORT_TO_PACS: send_to_pacs,
}
"""Every way out of the gateway."""

_log = structlog.get_logger()


def send(core: Core, job: Job, *, outside: Outside) -> Settlement | None:
    """Deliver, or hold with the reason. Idempotent: what has been delivered is not sent again.

    Gives what is to be committed with the job: one transaction settles both, also where it raises Failed. Raises
    NotYet before its turn, and Transient where it could not be asked whether it may leave.
    """
    with core.database.read() as connection:
        delivery = deliveries.by_id(connection, job.subject_id)
        may_have_left = _may_have_left(connection, delivery, job)
    granted = egress.grant(core, delivery.id)
    if granted is None:
        return None
    sending = Sending(delivery, Permission(core, job, granted), may_have_left)
    ids = {"delivery": delivery.id, "kind": delivery.kind, "endpoint": delivery.endpoint_id}
    try:
        with trace.span("delivery.send", **ids), watched(core, delivery.endpoint_id):
            receipt = EXITS[delivery.kind](core, sending, outside)
    except Conflict as exc:  # the grant was cancelled: revocation has held the delivery already
        return Settlement(partial(_note, delivery, job, exc, core.now()))
    except Exception as exc:  # it may have left: an error unknown to us is noted as well, then raised
        raise Failed(exc, Settlement(partial(_note, delivery, job, exc, core.now()))) from exc
    told = {"delivery": delivery.id, "endpoint": delivery.endpoint_id, "status": receipt.status}
    return Settlement(partial(_settle, delivery, job, receipt), partial(_log.info, "delivery.delivered", **told))


def _may_have_left(connection: Connection, delivery: Delivery, job: Job) -> bool:
    """True after an answer that did not come, a worker that ended without a word under a grant, a restored backup."""
    has_vanished = outbox.has_unended(connection, job, since=delivery.sent_anew_at)
    if delivery.is_ambiguous or (has_vanished and deliveries.has_been_granted(connection, delivery.id)):
        return True
    restored_at = audit.restored_at(connection, delivery.case_id)
    return restored_at is not None and (delivery.sent_anew_at is None or delivery.sent_anew_at < restored_at)


def _note(delivery: Delivery, job: Job, exc: Exception, now: datetime, connection: Connection) -> None:
    """Keep why this attempt ended; in the audit trail alone where the delivery has arrived by another's doing.

    A cancelled one may be revived by its order: whether it may have left is kept.
    """
    cases.lock(connection, delivery.case_id)
    state = deliveries.by_id(connection, delivery.id).state
    if state is not DeliveryState.DELIVERED:
        noted = {"attempts": job.attempt, "last_error": sentence_of(exc)} | _outcome(exc, state)
        deliveries.change(connection, delivery.id, now=now, **noted)
    audit.record(
        connection,
        at=now,
        actor="gateway",
        action="delivery.attempt",
        case_id=delivery.case_id,
        subject=f"delivery/{delivery.id}",
        outcome="failure",
        details={"error": type(exc).__name__, "attempt": job.attempt},
    )


def _outcome(exc: Exception, state: DeliveryState) -> dict[str, object]:
    """A person is named where one is needed. After an error unknown to us it is open whether it arrived."""
    is_pending, asks = state is DeliveryState.PENDING, {"waits_for": f"an administrator: {exc}"}
    if isinstance(exc, Ambiguous) or not isinstance(exc, GatewayError):
        is_for_person = getattr(exc, "is_for_person", False) and is_pending
        return {"is_ambiguous": True} | ({"state": DeliveryState.AMBIGUOUS, **asks} if is_for_person else {})
    if not isinstance(exc, Conflict | Full | Transient) and is_pending:
        return {"state": DeliveryState.FAILED, **asks}
    return {}


def _settle(delivery: Delivery, job: Job, receipt: Receipt, connection: Connection) -> None:
    """What the destination has acknowledged is delivered, also where another worker has taken the job over."""
    cases.lock(connection, delivery.case_id)
    deliveries.set_receipt(connection, delivery.id, receipt, attempts=job.attempt)
    egress.give_turn(connection, delivery, now=receipt.at)
    audit.record(
        connection,
        at=receipt.at,
        actor="gateway",
        action="delivery.delivered",
        case_id=delivery.case_id,
        subject=f"delivery/{delivery.id}",
        details={"status": receipt.status, "reference": receipt.reference, "sha256": receipt.sha256},
    )
