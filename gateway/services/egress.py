"""Opening a delivery, deciding on it, and the grant under which it leaves (design: promise 2)."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.consent import Outcome
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import GRANT_LIFETIME, UNSENT, DeliveryKind, DeliveryState, EgressGrant, Flow
from gateway.domain.errors import Conflict, NotYet
from gateway.domain.ids import new_id
from gateway.domain.record import Case, Delivery
from gateway.domain.work import JobKind, next_job
from gateway.services import consent_requests, succession
from gateway.services.consents import Disclosure, Ground, Recorded, decide_and_record, ground_of
from gateway.services.core import Core
from gateway.services.disclosure import item_of, recipient_of, transfer_used, who_can_permit
from gateway.services.hindrances import is_over_for
from gateway.services.restore_hold import require_resumed
from gateway.store import audit, cases, deliveries, outbox, parties, timetable
from gateway.store.standing import Standing


def open_delivery(
    connection: Connection,
    case: Case,
    *,
    kind: DeliveryKind,
    endpoint_id: str,
    subject_id: str,
    business_key: str,
    now: datetime,
    payload_sha256: str = "",
) -> Delivery:
    """The one delivery under this business key; a second call gives the first one back."""
    existing = deliveries.by_business_key(connection, business_key)
    if existing is not None:
        return existing
    delivery = Delivery(
        id=new_id(),
        case_id=case.id,
        endpoint_id=endpoint_id,
        kind=kind,
        subject_id=subject_id,
        business_key=business_key,
        state=DeliveryState.PENDING,
        waits_for="",
        payload_sha256=payload_sha256,
        attempts=0,
        last_error="",
        is_ambiguous=False,
        sent_anew_at=None,
        created_at=now,
        changed_at=now,
    )
    deliveries.add(connection, delivery)
    return delivery


def business_key(kind: str, subject: str, endpoint_id: str, number: int) -> str:
    """What there is one delivery of: the n-th version or addition of a subject for an endpoint."""
    return f"{kind}:{subject}:{endpoint_id}:{number}"


def decide(
    connection: Connection, case: Case, delivery: Delivery, *, stage: str, now: datetime, ground: Ground | None = None
) -> Recorded:
    """Decide and record. A permit lets a held delivery move, a deny holds it; indeterminate leaves it as it is.

    The caller has locked the case row, so that every decision stands wholly before or after a revocation. Where time
    alone could change the decision, the case is looked at again at that moment (`recheck`). Whoever
    decides on several deliveries of the case loads their `ground` once.
    """
    recipient, item = recipient_of(connection, delivery), item_of(connection, case, delivery)
    recorded = decide_and_record(
        connection,
        case,
        ground or ground_of(connection, case),
        Disclosure(delivery.kind.flow, recipient, (item,), delivery.payload_sha256),
        stage=stage,
        delivery_id=delivery.id,
        now=now,
    )
    changes_at = recorded.decision.valid_until
    if changes_at is not None and delivery.state in (DeliveryState.PENDING, DeliveryState.HELD):
        timetable.bring_forward(connection, JobKind.CASE_RECHECK, case.id, now=now, due_at=changes_at)
    if delivery.stopped_by is not None:
        return recorded  # a person holds it back, and lets it go on
    if delivery.state in UNSENT:
        consent_requests.decided(connection, case, delivery, recorded.decision, now=now)
    if recorded.decision.outcome is Outcome.DENY:
        _hold(connection, case, delivery, recorded, now)
    elif recorded.is_permit and delivery.state is DeliveryState.HELD:
        deliveries.change(connection, delivery.id, now=now, state=DeliveryState.PENDING, waits_for="")
    return recorded


def _hold(connection: Connection, case: Case, delivery: Delivery, recorded: Recorded, now: datetime) -> None:
    """Keep it back with the reasons."""
    if delivery.state not in UNSENT:
        return
    decision = recorded.decision
    waits_for = f"{who_can_permit(connection, case, delivery, decision)}: {' '.join(decision.reasons)}"
    deliveries.change(connection, delivery.id, now=now, state=DeliveryState.HELD, waits_for=waits_for)
    evidence = _evidence(delivery, recorded) | {"reasons": list(recorded.decision.reasons)}
    audit.record_of_delivery(
        connection, delivery, "egress.denied", at=now, actor="consent", outcome="denied", details=evidence
    )


def _evidence(delivery: Delivery, recorded: Recorded) -> dict[str, object]:
    """What was decided on and by which consents, for the audit row."""
    flow = delivery.kind.flow
    return {
        "decision": recorded.id,
        "kind": str(delivery.kind),
        "flow": str(flow),
        "to": recorded.recipient.name,
        "purposes": sorted(FLOW_PURPOSES[flow]),
        "consents": [f"{used.id}/{used.version}" for used in recorded.decision.consents],
        **recorded.versions,
        **transfer_used(recorded.decision),
    }


def require_decided(recorded: Recorded | None) -> None:
    """Raise Transient, after the transaction that recorded it, when the consents could not be read."""
    if recorded is not None and recorded.decision.outcome is Outcome.INDETERMINATE:
        raise NotYet("; ".join(recorded.decision.reasons))


def grant(core: Core, delivery_id: str) -> EgressGrant | None:
    """Decide anew and commit the permission to send this payload for 60 s; that commit is the disclosure.

    None when the delivery has ended, is for one who does not review the case any more, a later version is there
    already, a person holds it back, or consent denies; it is held then. Raises NotYet before its turn, and Transient
    when the consents could not be read, or those since a restored backup are not known yet.
    """
    with core.database.write("egress.grant") as connection:
        case = cases.lock(connection, deliveries.by_id(connection, delivery_id).case_id)
        now = core.now()
        delivery = deliveries.by_id(connection, delivery_id)
        require_resumed(parties.party_by_id(connection, case.clinic_id))
        is_over = is_over_for(case, delivery.kind.flow) or not _is_for_its_reviewer(connection, case, delivery)
        is_waiting = delivery.state in (DeliveryState.PENDING, DeliveryState.HELD) and delivery.stopped_by is None
        if is_over or not is_waiting or not delivery.payload_sha256:
            return None
        if end_superseded(connection, delivery, now=now):
            return None
        recorded = decide(connection, case, delivery, stage="grant", now=now)
        if recorded.is_permit:  # what is denied is held, whether or not it is its turn
            succession.require_turn(connection, delivery)
        granted = _granted(connection, delivery, recorded, now) if recorded.is_permit else None
    require_decided(recorded)
    return granted


def _is_for_its_reviewer(connection: Connection, case: Case, delivery: Delivery) -> bool:
    """Whether it is for the one who reviews the case now, when it is for a reviewer at all."""
    is_to_reviewer = delivery.kind.flow is Flow.DISCLOSE_TO_REVIEWER
    return not is_to_reviewer or recipient_of(connection, delivery).id == case.reviewer_id


def _granted(connection: Connection, delivery: Delivery, recorded: Recorded, now: datetime) -> EgressGrant:
    until = min(now + GRANT_LIFETIME, recorded.decision.valid_until or now + GRANT_LIFETIME)
    granted = EgressGrant(new_id(), delivery.id, delivery.payload_sha256, until)
    deliveries.add_grant(connection, granted, decision_id=recorded.id, now=now)
    endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
    where = {"endpoint": endpoint.name, "address": endpoint.where}
    details = _evidence(delivery, recorded) | where | {"grant": granted.id}
    audit.record_of_delivery(connection, delivery, "egress.granted", at=now, actor="gateway", details=details)
    return granted


def require_open(core: Core, granted: EgressGrant, stands: Standing) -> EgressGrant:
    """The grant, or a fresh one when it ran out while sending; `stands` is how it was found just now.

    Raises Conflict when it was cancelled or denied, or when the job's lease was lost.
    """
    if not stands.is_held:
        raise Conflict("another worker has taken over; this one sends nothing more")
    if not stands.is_granted:
        raise Conflict("the grant was cancelled; nothing more is sent")
    if core.now() < granted.expires_at:
        return granted
    renewed = grant(core, granted.delivery_id)
    if renewed is None:
        raise Conflict("consent no longer permits it; nothing more is sent")
    return renewed


def enqueue_next(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """Put the job that moves this delivery on into the outbox."""
    kind, subject_id = next_job(delivery)
    endpoint_id = delivery.endpoint_id if kind is JobKind.DELIVERY_SEND else None
    outbox.enqueue(connection, kind, subject_id, case_id=delivery.case_id, now=now, endpoint_id=endpoint_id)


def end_superseded(connection: Connection, delivery: Delivery, *, now: datetime) -> str:
    """End it where a later version is at the destination, or may be; gives the sentence, else ''."""
    later = succession.successor(connection, delivery)
    if later is None:
        return ""
    number, newer = deliveries.version_number(delivery), deliveries.version_number(later)
    why = f"version {newer} is at the destination, or may be; version {number} is not sent after it"
    deliveries.cancel(connection, delivery.id, now=now, why=f"nobody: {why}")
    by = {"by": later.id}
    audit.record_of_delivery(connection, delivery, "delivery.superseded", at=now, actor="gateway", details=by)
    consent_requests.ended(connection, delivery, now=now)
    give_turn(connection, delivery, now=now)
    return why


def arrived(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """It is at the destination: earlier versions that failed end with it, and later ones no longer wait for it."""
    for one in deliveries.earlier_versions(connection, delivery):
        if one.state is DeliveryState.FAILED:
            end_superseded(connection, one, now=now)
    give_turn(connection, delivery, now=now)


def give_turn(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """The delivery has ended: what follows it no longer waits for it."""
    for one in succession.followers(connection, delivery):
        if one.state is DeliveryState.PENDING:
            enqueue_next(connection, one, now=now)
