"""Send one delivery: grant, send outside any transaction, settle with the receipt (design: promises 2 and 4)."""

from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from gateway.domain import trace
from gateway.domain.delivery import DeliveryKind, DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict, Full, GatewayError, NotYet, Transient
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.services import egress
from gateway.services.core import Core
from gateway.services.destinations import watched
from gateway.services.doubt import may_have_left, stuck
from gateway.services.outside import Outside
from gateway.services.sending import Permission, Sending
from gateway.services.to_ehr import send_to_ehr
from gateway.services.to_pacs import send_to_pacs
from gateway.services.to_reviewer import send_to_reviewer
from gateway.services.work import Failed, Settlement, sentence_of
from gateway.store import audit, breakers, cases, deliveries

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
    NotYet before its turn, and Transient where it could not be asked whether it may leave. Where it ends unsent and
    was to show whether the destination is there again, the next one may show it at once.
    """
    with core.database.read() as connection:
        delivery = deliveries.by_id(connection, job.subject_id)
        is_in_doubt = may_have_left(connection, delivery, job)
    unasked = Settlement(lambda connection: breakers.look_now(connection, delivery.endpoint_id, core.now()))
    try:
        granted = egress.grant(core, delivery.id)
    except NotYet as exc:
        raise Failed(exc, unasked) from exc
    if granted is None:
        return unasked
    with Permission(core, job, granted) as permission:
        sending = Sending(delivery, permission, is_in_doubt, has_just_left=is_in_doubt and job.is_taken_over)
        return _sent(core, job, sending, outside)


def _sent(core: Core, job: Job, sending: Sending, outside: Outside) -> Settlement:
    delivery, is_in_doubt = sending.delivery, sending.may_have_left
    ids = {"delivery": delivery.id, "kind": delivery.kind, "endpoint": delivery.endpoint_id}
    try:
        with trace.span("delivery.send", **ids), watched(core, delivery.endpoint_id):
            receipt = EXITS[delivery.kind](core, sending, outside)
    except Conflict as exc:  # the grant was cancelled: revocation has held the delivery already
        return Settlement(partial(_note, delivery, job, exc, is_in_doubt, core.now()))
    except Exception as exc:  # it may have left: an error unknown to us is noted as well, then raised
        raise Failed(exc, Settlement(partial(_note, delivery, job, exc, is_in_doubt, core.now()))) from exc
    told = {"delivery": delivery.id, "endpoint": delivery.endpoint_id, "status": receipt.status}
    arrived = partial(_settle, delivery, job, receipt)
    return Settlement(arrived, partial(_log.info, "delivery.delivered", **told), is_true_anyway=True)


def _note(
    delivery: Delivery, job: Job, exc: Exception, is_in_doubt: bool, now: datetime, connection: Connection
) -> None:
    """Keep why this attempt ended; in the audit trail alone where the delivery has arrived by another's doing.

    A cancelled one may be revived by its order: whether it may have left is kept.
    """
    cases.lock(connection, delivery.case_id)
    state = deliveries.by_id(connection, delivery.id).state
    if state is not DeliveryState.DELIVERED:
        noted = {"attempts": job.attempt, "last_error": sentence_of(exc)} | _outcome(exc, state, is_in_doubt)
        deliveries.change(connection, delivery.id, now=now, **noted)
    told = {"error": type(exc).__name__, "attempt": job.attempt}
    audit.record_of_delivery(
        connection, delivery, "delivery.attempt", at=now, actor="gateway", outcome="failure", details=told
    )


def _outcome(exc: Exception, state: DeliveryState, is_in_doubt: bool) -> dict[str, object]:
    """A person is named where one is needed. After an error unknown to us it is open whether it arrived.

    A refusal does not end a doubt that was there before: it may be of the question whether it arrived.
    """
    is_pending, asks = state is DeliveryState.PENDING, {"waits_for": f"an administrator: {exc}"}
    if isinstance(exc, Ambiguous) or not isinstance(exc, GatewayError):
        is_for_person = getattr(exc, "is_for_person", False) and is_pending
        return {"is_ambiguous": True} | ({"state": DeliveryState.AMBIGUOUS, **asks} if is_for_person else {})
    if not isinstance(exc, Conflict | Full | Transient) and is_pending:
        return asks | stuck(is_in_doubt=is_in_doubt)
    return {}


def _settle(delivery: Delivery, job: Job, receipt: Receipt, connection: Connection) -> None:
    """What the destination has acknowledged is delivered, also where another worker has taken the job over."""
    cases.lock(connection, delivery.case_id)
    deliveries.set_receipt(connection, delivery.id, receipt, attempts=job.attempt)
    egress.arrived(connection, delivery, now=receipt.at)
    told = {"status": receipt.status, "reference": receipt.reference, "sha256": receipt.sha256}
    audit.record_of_delivery(connection, delivery, "delivery.delivered", at=receipt.at, actor="gateway", details=told)
