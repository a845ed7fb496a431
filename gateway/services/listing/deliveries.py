"""The deliveries there are, and one of them with its objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Delivery, DeliveryItem
from gateway.services.core import Core
from gateway.services.delivery_waits import delivery_wait, next_try_at
from gateway.services.listing.names import endpoint_names
from gateway.store import audit, deliveries, parties


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery in a list, with the name of its endpoint."""

    id: str
    case_id: str
    kind: str
    endpoint: str
    state: str
    attempts: int
    next_try_at: datetime | None
    waits_for: str
    last_error: str
    changed_at: datetime


@dataclass(frozen=True)
class DeliveryEvent:
    """What became of a delivery at a time: an attempt that failed (its number and the kind of error), or a person."""

    at: datetime
    actor: str
    action: str
    attempt: int | None
    error: str


@dataclass(frozen=True)
class DeliveryView:
    """A delivery with its objects, its receipt, and what became of it so far."""

    delivery: DeliveryLine
    items: tuple[DeliveryItem, ...]
    history: tuple[DeliveryEvent, ...]
    receipt: dict[str, str] | None


def delivery_lines(
    core: Core,
    *,
    limit: int,
    case_id: str | None = None,
    endpoint_name: str | None = None,
    states: Sequence[DeliveryState] = (),
) -> list[DeliveryLine]:
    """Newest first. Raises NotFound for an endpoint that there is not."""
    with core.database.read() as connection:
        names = endpoint_names(connection)
        endpoint_id = parties.endpoint_by_name(connection, endpoint_name).id if endpoint_name else None
        found = deliveries.listed(connection, case_id=case_id, endpoint_id=endpoint_id, states=states, newest=limit)
        return [_line(connection, one, names) for one in found]


def delivery_view(core: Core, delivery_id: str) -> DeliveryView:
    """Raises NotFound."""
    with core.database.read() as connection:
        delivery = deliveries.by_id(connection, delivery_id)
        items = tuple(deliveries.items(connection, delivery_id))
        receipt = deliveries.receipts(connection, delivery.case_id).get(delivery_id)
        history = tuple(_history(connection, delivery))
        return DeliveryView(_line(connection, delivery, endpoint_names(connection)), items, history, receipt)


def _history(connection: Connection, delivery: Delivery) -> Iterator[DeliveryEvent]:
    """Oldest first. Attempts are counted anew after a person has intervened."""
    for row in audit.of_case(connection, delivery.case_id, subject=f"delivery/{delivery.id}"):
        if row.action.startswith("delivery."):
            details = row.details
            yield DeliveryEvent(row.at, row.actor, row.action, details.get("attempt"), details.get("error", ""))


def _line(connection: Connection, delivery: Delivery, names: dict[str, str]) -> DeliveryLine:
    return DeliveryLine(
        delivery.id,
        delivery.case_id,
        delivery.kind,
        names[delivery.endpoint_id],
        delivery.state,
        delivery.attempts,
        next_try_at(connection, delivery),
        delivery_wait(connection, delivery),
        delivery.last_error,
        delivery.changed_at,
    )
