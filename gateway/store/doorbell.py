"""What wants a worker now, and who was told: the relay's side of the outbox."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Subquery,
    and_,
    exists,
    func,
    or_,
    select,
    union,
    union_all,
    update,
)

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import QUEUES, JobKind
from gateway.store import breakers
from gateway.store.outbox import CLAIMED, PENDING
from gateway.store.tables import outbox

_LOOK_AHEAD = 500
"""Rows that are looked at for each ring; a destination that is full is passed over by the query already."""


def due(
    connection: Connection,
    now: datetime,
    *,
    room: Mapping[str, int],
    policy: DestinationPolicy,
    ring_again_after: timedelta,
    holding: Collection[str] = (),
) -> list[tuple[str, JobKind]]:
    """Rows that want a worker now: due, or claimed by a worker whose lease ran out.

    Oldest first, and destinations take turns: one that is slow to answer holds few of the places that all share. No
    more of a queue than its `room`, no more for a destination than it takes now. Left out are those in `holding`, and
    those that were rung for within `ring_again_after`.
    """
    kinds = [kind for kind, queue in QUEUES.items() if room.get(queue, 0) > 0]
    wanting = _wanting(now, kinds, ring_again_after, holding)
    if connection.execute(select(wanting.c.id).limit(1)).first() is None:  # as nearly always
        return []
    busy = _busy(connection, now, ring_again_after, holding)
    places = _places(connection, now, policy, busy)
    full = [endpoint_id for endpoint_id, free in places.items() if free <= 0]
    is_open = func.coalesce(wanting.c.endpoint_id.not_in(full), True)
    rows = connection.execute(select(wanting).where(is_open).order_by(wanting.c.next_try_at).limit(_LOOK_AHEAD)).all()
    left, picked = dict(room), []
    for row in _in_turn(rows, busy):
        kind = JobKind(row.kind)
        place = places.get(row.endpoint_id, policy.in_flight) if row.endpoint_id else 1
        if left[QUEUES[kind]] > 0 and place > 0:
            left[QUEUES[kind]] -= 1
            places[row.endpoint_id] = place - 1
            picked.append((row.id, kind))
    return picked


def ringing(connection: Connection, now: datetime, *, ring_again_after: timedelta) -> Counter[str]:
    """Queue -> how many of its rows were rung for and are still to be claimed."""
    query = select(outbox.c.kind, func.count()).where(_is_ringing(now, ring_again_after)).group_by(outbox.c.kind)
    found: Counter[str] = Counter()
    for kind, number in connection.execute(query):
        found[QUEUES[JobKind(kind)]] += number
    return found


def rung(connection: Connection, job_ids: Sequence[str], now: datetime) -> None:
    """Remember that a worker was told of these rows."""
    connection.execute(update(outbox).where(outbox.c.id.in_(job_ids)).values(rung_at=now))


def unrung(connection: Connection, job_ids: Sequence[str]) -> None:
    """Nobody could be told of these rows after all: they are due again at once."""
    connection.execute(update(outbox).where(outbox.c.id.in_(job_ids)).values(rung_at=None))


def _wanting(
    now: datetime, kinds: Collection[JobKind], ring_again_after: timedelta, holding: Collection[str]
) -> Subquery:
    """One state after the other: asked for both at once, SQLite may prefer to read the whole table."""
    is_due = and_(outbox.c.state == PENDING, outbox.c.next_try_at <= now)
    is_orphaned = and_(outbox.c.state == CLAIMED, outbox.c.lease_until <= now)
    was_rung_since = and_(
        outbox.c.rung_at > now - ring_again_after,
        or_(outbox.c.state == PENDING, outbox.c.rung_at > outbox.c.lease_until),
    )
    query = select(outbox.c.id, outbox.c.kind, outbox.c.endpoint_id, outbox.c.next_try_at)
    query = query.where(outbox.c.kind.in_(kinds), outbox.c.id.not_in(holding))
    query = query.where(func.coalesce(was_rung_since, False).is_(False), ~_has_twin_at_work(now))
    return union_all(query.where(is_due), query.where(is_orphaned)).subquery("wanting")


def _has_twin_at_work(now: datetime) -> ColumnElement[bool]:
    """Whether a worker does another row of the same kind and subject, which take turns."""
    twin = outbox.alias("twin")
    is_twin = and_(twin.c.subject_id == outbox.c.subject_id, twin.c.kind == outbox.c.kind, twin.c.id != outbox.c.id)
    return exists(select(twin.c.id).where(is_twin, twin.c.state == CLAIMED, twin.c.lease_until > now))


def _in_turn(rows: Sequence[Row[Any]], busy: Mapping[str, int]) -> list[Row[Any]]:
    """The n-th of a destination, counting what is on its way, after the (n-1)-th of every other; else as they were."""
    taken, turns = Counter(busy), []
    for row in rows:
        turns.append(taken[row.endpoint_id] if row.endpoint_id else 0)
        taken[row.endpoint_id] += 1
    return [row for _, row in sorted(zip(turns, rows, strict=True), key=lambda pair: pair[0])]


def _busy(connection: Connection, now: datetime, ring_again_after: timedelta, holding: Collection[str]) -> Counter[str]:
    """Endpoint id -> how many are on their way there."""
    is_claimed = and_(outbox.c.state == CLAIMED, outbox.c.lease_until > now)
    is_here = and_(outbox.c.state == PENDING, outbox.c.id.in_(holding))
    sendings = select(outbox.c.id, outbox.c.endpoint_id).where(outbox.c.endpoint_id.is_not(None))
    ways = (is_claimed, is_here, _is_ringing(now, ring_again_after))
    on_their_way = union(*(sendings.where(is_there) for is_there in ways)).subquery("on_their_way")
    counted = select(on_their_way.c.endpoint_id, func.count())
    rows = connection.execute(counted.group_by(on_their_way.c.endpoint_id))
    return Counter({row[0]: row[1] for row in rows})


def _places(
    connection: Connection, now: datetime, policy: DestinationPolicy, busy: Mapping[str, int]
) -> dict[str, int]:
    """Endpoint id -> how many more may go there; only of those where it is not all that the policy allows."""
    failing = {endpoint_id: found.room(now, policy) for endpoint_id, found in breakers.failing(connection).items()}
    return {each: failing.get(each, policy.in_flight) - busy.get(each, 0) for each in busy.keys() | failing.keys()}


def _is_ringing(now: datetime, ring_again_after: timedelta) -> ColumnElement[bool]:
    return and_(outbox.c.state == PENDING, outbox.c.rung_at > now - ring_again_after)
