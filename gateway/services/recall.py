"""Recall notices as people read them: what is known to have left, and who has asked for it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.delivery import ReadGrant
from gateway.domain.moments import utc_in_words
from gateway.domain.record import Delivery, Disclosed, RecallNotice
from gateway.services.core import Core
from gateway.services.disclosure import recipient_of
from gateway.store import deliveries, recalls, reviews

_READ = "what was read of the order"


@dataclass(frozen=True)
class RecallLine:
    """A recall notice with what is known now of what had left; `acknowledged_at` is None while nobody took it.

    `delivery_id` is '' where the recipient read it, and was sent nothing.
    """

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

    @property
    def request(self) -> str:
        """What is to be done about it, and why."""
        what = f"{self.kind} {self.delivery_id}".rstrip()
        return f"{self.recipient} is to be asked to delete {what}: {self.reason}; {self.what_left}"


def recall_lines(core: Core, *, limit: int, case_id: str | None = None, is_open: bool = True) -> list[RecallLine]:
    """Oldest first; with `is_open` False the acknowledged ones too."""
    with core.database.read() as connection:
        found = recalls.listed(connection, case_id=case_id, is_open=is_open, limit=limit)
        return [line(connection, one) for one in found]


def line(connection: Connection, notice: RecallNotice) -> RecallLine:
    """The notice as a person reads it."""
    disclosed = disclosed_of(connection, notice)
    return RecallLine(
        id=notice.id,
        case_id=notice.case_id,
        delivery_id=notice.delivery_id or "",
        kind=_READ if isinstance(disclosed, ReadGrant) else disclosed.kind,
        recipient=recipient_of(connection, disclosed).name,
        reason=notice.reason,
        what_left=_what_left(connection, disclosed),
        created_at=notice.created_at,
        acknowledged_by=notice.acknowledged_by,
        acknowledged_at=notice.acknowledged_at,
    )


def disclosed_of(connection: Connection, notice: RecallNotice) -> Disclosed:
    """What the notice asks back."""
    if notice.delivery_id is not None:
        return deliveries.by_id(connection, notice.delivery_id)
    return reviews.read_grant_by_id(connection, notice.disclosed_id)


def granted_times(connection: Connection, disclosed: Disclosed) -> list[datetime]:
    """When it was allowed to leave, oldest first."""
    if isinstance(disclosed, ReadGrant):
        return reviews.grant_times(connection, disclosed)
    return deliveries.grant_times(connection, disclosed.id)


def granting_consents(connection: Connection, disclosed: Disclosed) -> set[str]:
    """The ids of the consents under which anything of it may have left."""
    if isinstance(disclosed, ReadGrant):
        return reviews.granting_consents(connection, disclosed)
    return deliveries.granting_consents(connection, disclosed.id)


def _what_left(connection: Connection, disclosed: Disclosed) -> str:
    """When it was granted and what the destination acknowledged: nothing acknowledged is not the same as not sent."""
    times = granted_times(connection, disclosed)
    if isinstance(disclosed, ReadGrant):
        return _granted(times)
    return "; ".join([f"first granted at {_moment(times[0])}", *_known(connection, disclosed)])


def _granted(times: Sequence[datetime]) -> str:
    if len(times) == 1:
        return f"granted once, at {_moment(times[0])}"
    return f"granted {len(times)} times, first at {_moment(times[0])} and last at {_moment(times[-1])}"


def _moment(at: datetime) -> str:
    return utc_in_words(at)


def _known(connection: Connection, delivery: Delivery) -> list[str]:
    known = [_acknowledged(connection, delivery)]
    if delivery.last_error:
        known.append(f"the last attempt ended with {delivery.last_error}")
    if delivery.is_ambiguous:
        known.append("something may have arrived without an acknowledgement")
    return known


def _acknowledged(connection: Connection, delivery: Delivery) -> str:
    receipt = deliveries.receipts(connection, delivery.case_id).get(delivery.id)
    items = deliveries.items(connection, delivery.id)
    if items:
        return f"{sum(one.status is not None for one in items)} of {len(items)} objects acknowledged"
    return f"acknowledged as {receipt['reference']}" if receipt else "nothing acknowledged"
