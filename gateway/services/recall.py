"""Recall notices as people read them: what is known to have left, and who has asked for it back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.record import Delivery, RecallNotice
from gateway.services.core import Core
from gateway.store import deliveries, parties, recalls


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
