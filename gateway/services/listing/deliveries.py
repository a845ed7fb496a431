"""The deliveries there are, and one of them with its objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Delivery, DeliveryItem
from gateway.domain.work import next_job
from gateway.services.core import Core
from gateway.services.delivery_waits import delivery_wait
from gateway.services.listing.names import endpoint_names
from gateway.store import deliveries, outbox


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery in a list, with the name of its endpoint."""

    id: str
    case_id: str
    kind: str
    endpoint: str
    state: str
    attempts: int
    waits_for: str
    last_error: str
    changed_at: datetime


@dataclass(frozen=True)
class DeliveryView:
    """A delivery with its objects, its receipt, and when it is tried next."""

    delivery: DeliveryLine
    items: tuple[DeliveryItem, ...]
    next_try_at: datetime | None
    receipt: dict[str, str] | None


def delivery_lines(
    core: Core, *, limit: int, case_id: str | None = None, states: Sequence[DeliveryState] = ()
) -> list[DeliveryLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = endpoint_names(connection)
        found = deliveries.listed(connection, case_id=case_id, states=states, newest=limit)
        return [_line(connection, one, names) for one in found]


def delivery_view(core: Core, delivery_id: str) -> DeliveryView:
    """Raises NotFound."""
    with core.database.read() as connection:
        delivery = deliveries.by_id(connection, delivery_id)
        items = tuple(deliveries.items(connection, delivery_id))
        receipt = deliveries.receipts(connection, delivery.case_id).get(delivery_id)
        job = outbox.unsettled(connection, next_job(delivery)[1])
        next_try_at = None if job is None else job.next_try_at
        return DeliveryView(_line(connection, delivery, endpoint_names(connection)), items, next_try_at, receipt)


def _line(connection: Connection, delivery: Delivery, names: dict[str, str]) -> DeliveryLine:
    return DeliveryLine(
        delivery.id,
        delivery.case_id,
        delivery.kind,
        names[delivery.endpoint_id],
        delivery.state,
        delivery.attempts,
        delivery_wait(connection, delivery),
        delivery.last_error,
        delivery.changed_at,
    )
