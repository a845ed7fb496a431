"""A permit went after something may have left under it: a person asks for it back, and says that they did."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.errors import Conflict
from gateway.domain.record import Delivery, RecallNotice
from gateway.domain.resource import StoredResource
from gateway.services.core import Core
from gateway.store import audit, cases, deliveries, parties, recalls


@dataclass(frozen=True)
class RecallLine:
    """A recall notice with what is known now of what had left; `acknowledged_at` is None while nobody took it."""

    id: str
    case_id: str
    delivery_id: str
    kind: str
    recipient: str
    reason: str
    what_left: str
    created_at: datetime
    acknowledged_by: str
    acknowledged_at: datetime | None


def notify(connection: Connection, delivery: Delivery, stored: StoredResource) -> None:
    """Leave a notice for whoever has to ask for it back; one that was acknowledged stands anew after a new grant."""
    earlier = recalls.of_delivery(connection, delivery.id, stored.id)
    if earlier is not None and not _is_granted_since(connection, earlier):
        return
    reason = f"consent {stored.id} version {stored.version} no longer permits what had been granted before"
    if earlier is None:
        of = {"case_id": delivery.case_id, "delivery_id": delivery.id, "consent_id": stored.id}
        recall_id = recalls.add(connection, **of, reason=reason, now=stored.stored_at)
    else:
        recall_id = earlier.id
        recalls.raise_again(connection, recall_id, reason=reason, now=stored.stored_at)
    audit.record(
        connection,
        at=stored.stored_at,
        actor=stored.client_id,
        case_id=delivery.case_id,
        action="recall.notice",
        subject=recalls.subject_of(recall_id),
        details={"delivery": delivery.id, "consent": f"{stored.id}/{stored.version}"},
    )


def withdraw(connection: Connection, delivery: Delivery, *, now: datetime, actor: str, consent: str) -> None:
    """The patient permits it again, by `consent` (`id/version`): nobody has to ask for it back."""
    for notice in recalls.listed(connection, case_id=delivery.case_id):
        if notice.delivery_id == delivery.id:
            audit.record(
                connection,
                at=now,
                actor=actor,
                case_id=delivery.case_id,
                action=recalls.WITHDRAWN,
                subject=recalls.subject_of(notice.id),
                details={"delivery": delivery.id, "consent": consent},
            )


def _is_granted_since(connection: Connection, notice: RecallNotice) -> bool:
    """True when the notice was acknowledged and more was granted afterwards."""
    times = deliveries.grant_times(connection, notice.delivery_id)
    return notice.acknowledged_at is not None and times[-1] > notice.acknowledged_at


def recall_lines(core: Core, *, limit: int, case_id: str | None = None, is_open: bool = True) -> list[RecallLine]:
    """Oldest first; with `is_open` False the acknowledged ones too."""
    with core.database.read() as connection:
        found = recalls.listed(connection, case_id=case_id, is_open=is_open, limit=limit)
        return [line(connection, one) for one in found]


def line(connection: Connection, notice: RecallNotice) -> RecallLine:
    """The notice as a person reads it."""
    delivery = deliveries.by_id(connection, notice.delivery_id)
    endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
    return RecallLine(
        id=notice.id,
        case_id=notice.case_id,
        delivery_id=delivery.id,
        kind=delivery.kind,
        recipient=parties.party_by_id(connection, endpoint.party_id).name,
        reason=notice.reason,
        what_left=_what_left(connection, delivery),
        created_at=notice.created_at,
        acknowledged_by=notice.acknowledged_by,
        acknowledged_at=notice.acknowledged_at,
    )


def acknowledge(core: Core, recall_id: str, *, actor: str) -> None:
    """`actor` has asked the recipient for it. Raises NotFound, and Conflict for one that is acknowledged already."""
    with core.database.write("recall.acknowledge") as connection:
        cases.lock(connection, recalls.by_id(connection, recall_id).case_id)
        notice = recalls.by_id(connection, recall_id)
        if notice.acknowledged_at is not None:
            raise Conflict(f"recall notice {recall_id} was acknowledged by {notice.acknowledged_by}")
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            case_id=notice.case_id,
            action=recalls.ACKNOWLEDGED,
            subject=recalls.subject_of(notice.id),
            details={"delivery": notice.delivery_id, "consent": notice.consent_id},
        )


def _what_left(connection: Connection, delivery: Delivery) -> str:
    """When it was granted and what the destination acknowledged: nothing acknowledged is not the same as not sent."""
    granted_at = deliveries.grant_times(connection, delivery.id)[0]
    known = [f"first granted at {granted_at:%Y-%m-%d %H:%M:%S} UTC", _acknowledged(connection, delivery)]
    if delivery.last_error:
        known.append(f"the last attempt ended with {delivery.last_error}")
    if delivery.is_ambiguous:
        known.append("something may have arrived without an acknowledgement")
    return "; ".join(known)


def _acknowledged(connection: Connection, delivery: Delivery) -> str:
    receipt = deliveries.receipts(connection, delivery.case_id).get(delivery.id)
    items = deliveries.items(connection, delivery.id)
    if items:
        return f"{sum(one.status is not None for one in items)} of {len(items)} objects acknowledged"
    return f"acknowledged as {receipt['reference']}" if receipt else "nothing acknowledged"
