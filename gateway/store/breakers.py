"""The breakers of the destinations, kept in the database so that every worker knows what one has learned."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from gateway.domain.breaker import CLOSED, Breaker, DestinationPolicy
from gateway.domain.work import JobState
from gateway.store.tables import breaker, outbox
from gateway.store.turns import take_turn

# Built once: these run for every sending.
_BY_ENDPOINT = select(breaker).where(breaker.c.endpoint_id == bindparam("of_endpoint"))
_CLAIMED = select(func.count()).where(
    outbox.c.endpoint_id == bindparam("of_endpoint"),
    outbox.c.state == JobState.CLAIMED,
    outbox.c.lease_until > bindparam("now"),
)


def lock(connection: Connection, endpoint_id: str) -> Breaker:
    """The breaker, and this transaction's turn at its destination."""
    take_turn(connection, f"destination/{endpoint_id}")
    return by_endpoint(connection, endpoint_id)


def by_endpoint(connection: Connection, endpoint_id: str) -> Breaker:
    """Closed for a destination that never failed."""
    row = connection.execute(_BY_ENDPOINT, {"of_endpoint": endpoint_id}).one_or_none()
    return CLOSED if row is None else _breaker(row)


def failing(connection: Connection) -> dict[str, Breaker]:
    """Endpoint id -> breaker, of every destination that failed last."""
    return {row.endpoint_id: _breaker(row) for row in connection.execute(select(breaker))}


def keep(connection: Connection, endpoint_id: str, changed: Breaker) -> None:
    """Remember it. The caller has locked it."""
    connection.execute(delete(breaker).where(breaker.c.endpoint_id == endpoint_id))
    if changed != CLOSED:
        kept = {"failures": changed.failures, "failing_since": changed.failing_since, "probe_at": changed.probe_at}
        connection.execute(insert(breaker).values(endpoint_id=endpoint_id, **kept))


def look_now(connection: Connection, endpoint_id: str, now: datetime) -> None:
    """A person has looked after the destination: one job may go there at once."""
    found = lock(connection, endpoint_id)
    if found.probe_at is not None:
        keep(connection, endpoint_id, replace(found, probe_at=now))


def lets_through(
    connection: Connection, endpoint_id: str, locked: Breaker, *, now: datetime, policy: DestinationPolicy
) -> bool:
    """Whether one more job may go there now; of a destination that failed, it is the one that looks."""
    if locked.probe_at is not None:
        may_probe = locked.room(now, policy) > 0
        if may_probe:
            keep(connection, endpoint_id, locked.probing(now, policy))
        return may_probe
    there = connection.execute(_CLAIMED, {"of_endpoint": endpoint_id, "now": now}).scalar_one()
    return there < policy.in_flight


def _breaker(row: Row[Any]) -> Breaker:
    return Breaker(row.failures, row.failing_since, row.probe_at)
