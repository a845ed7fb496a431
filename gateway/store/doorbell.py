"""What wants a worker now, and who was told: the relay's side of the outbox."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union,
    union_all,
    update,
)

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import QUEUES, JobKind, JobState
from gateway.store import breakers
from gateway.store.tables import outbox

_LOOK_AHEAD = 500
"""Rows that are looked at in one query; a destination that is full is passed over by it already."""

# Built once: these run at every ring.
_now: BindParameter[datetime] = bindparam("now")
_rung_after: BindParameter[datetime] = bindparam("rung_after")
_HELD_HERE: BindParameter[str] = bindparam("holding", expanding=True)
_IS_DUE = and_(outbox.c.state == JobState.PENDING, outbox.c.next_try_at <= _now)
_IS_ORPHANED = and_(outbox.c.state == JobState.CLAIMED, outbox.c.lease_until <= _now)
_IS_CLAIMED = and_(outbox.c.state == JobState.CLAIMED, outbox.c.lease_until > _now)
_IS_RINGING = and_(outbox.c.state == JobState.PENDING, outbox.c.rung_at > _rung_after)
_WAS_RUNG = and_(
    outbox.c.rung_at > _rung_after, or_(outbox.c.state == JobState.PENDING, outbox.c.rung_at > outbox.c.lease_until)
)
_twin = outbox.alias("twin")
_HAS_TWIN_AT_WORK = exists(
    select(_twin.c.id)
    .where(_twin.c.subject_id == outbox.c.subject_id, _twin.c.kind == outbox.c.kind, _twin.c.id != outbox.c.id)
    .where(_twin.c.state == JobState.CLAIMED, _twin.c.lease_until > _now)
)
"""Whether a worker does another row of the same kind and subject, which take turns."""
_CANDIDATES = (
    select(outbox.c.id, outbox.c.kind, outbox.c.endpoint_id, outbox.c.next_try_at)
    .where(outbox.c.kind.in_(bindparam("kinds", expanding=True)), outbox.c.id.not_in(_HELD_HERE))
    .where(func.coalesce(_WAS_RUNG, False).is_(False), ~_HAS_TWIN_AT_WORK)
)
_WANTING = union_all(_CANDIDATES.where(_IS_DUE), _CANDIDATES.where(_IS_ORPHANED)).subquery("wanting")
"""One state after the other: asked for both at once, SQLite may prefer to read the whole table."""
_ANY_WANTING = select(_WANTING.c.id).limit(1)
_OPEN_WANTING = (
    select(_WANTING)
    .where(func.coalesce(_WANTING.c.endpoint_id.not_in(bindparam("full", expanding=True)), True))
    .where(or_(_WANTING.c.endpoint_id.is_not(None), _WANTING.c.kind.not_in(bindparam("enough", expanding=True))))
    .order_by(_WANTING.c.next_try_at)
    .limit(_LOOK_AHEAD)
)
_SENDINGS = select(outbox.c.id, outbox.c.endpoint_id).where(outbox.c.endpoint_id.is_not(None))
_ON_THEIR_WAY = union(
    _SENDINGS.where(_IS_CLAIMED),
    _SENDINGS.where(outbox.c.state == JobState.PENDING, outbox.c.id.in_(_HELD_HERE)),
    _SENDINGS.where(_IS_RINGING),
).subquery("on_their_way")
_BUSY = select(_ON_THEIR_WAY.c.endpoint_id, func.count()).group_by(_ON_THEIR_WAY.c.endpoint_id)
_RINGING = select(outbox.c.kind, func.count()).where(_IS_RINGING).group_by(outbox.c.kind)
_RUNG = update(outbox).where(outbox.c.id.in_(bindparam("told", expanding=True))).values(rung_at=bindparam("at"))


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
    asked = {"now": now, "rung_after": now - ring_again_after, "holding": list(holding)}
    if connection.execute(_ANY_WANTING, asked | {"kinds": kinds}).first() is None:  # as nearly always
        return []
    busy = Counter({row[0]: row[1] for row in connection.execute(_BUSY, asked)})
    places = _places(connection, now, policy, busy)

    def takes(row: Row[Any]) -> int:
        return places.get(row.endpoint_id, policy.in_flight) if row.endpoint_id else room[QUEUES[JobKind(row.kind)]]

    full = {endpoint_id for endpoint_id, free in places.items() if free <= 0}
    rows = _candidates(connection, asked | {"kinds": kinds}, full, takes)
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
    found: Counter[str] = Counter()
    for kind, number in connection.execute(_RINGING, {"rung_after": now - ring_again_after}):
        if kind in QUEUES:
            found[QUEUES[kind]] += number
    return found


def rung(connection: Connection, job_ids: Sequence[str], now: datetime) -> None:
    """Remember that a worker was told of these rows."""
    connection.execute(_RUNG, {"told": job_ids, "at": now})


def unrung(connection: Connection, job_ids: Sequence[str]) -> None:
    """Nobody could be told of these rows after all: they are due again at once."""
    connection.execute(_RUNG, {"told": job_ids, "at": None})


def _candidates(
    connection: Connection, asked: Mapping[str, object], full: set[str], takes: Callable[[Row[Any]], int]
) -> list[Row[Any]]:
    """Oldest first, and of each destination, or kind without one, as many as it takes, however many others are older.

    Nearly always one query; the next ones leave out what has filled its places from the rows seen so far.
    """
    found: list[Row[Any]] = []
    enough: set[str] = set()
    while True:
        rows = connection.execute(_OPEN_WANTING, {**asked, "full": list(full), "enough": list(enough)}).all()
        numbers, allowed = Counter(map(_group, rows)), {_group(row): takes(row) for row in rows}
        sated = {group for group, number in numbers.items() if number >= allowed[group]}
        if len(rows) < _LOOK_AHEAD or not sated:
            return sorted([*found, *rows], key=lambda row: row.next_try_at)
        found += [row for row in rows if _group(row) in sated]
        full = full | {endpoint_id for _, endpoint_id in sated if endpoint_id}
        enough |= {kind for kind, endpoint_id in sated if not endpoint_id}


def _group(row: Row[Any]) -> tuple[str, str | None]:
    return ("", row.endpoint_id) if row.endpoint_id else (row.kind, None)


def _in_turn(rows: Sequence[Row[Any]], busy: Mapping[str, int]) -> list[Row[Any]]:
    """The n-th of a destination, counting what is on its way, after the (n-1)-th of every other; else as they were."""
    taken, turns = Counter(busy), []
    for row in rows:
        turns.append(taken[row.endpoint_id] if row.endpoint_id else 0)
        taken[row.endpoint_id] += 1
    return [row for _, row in sorted(zip(turns, rows, strict=True), key=lambda pair: pair[0])]


def _places(
    connection: Connection, now: datetime, policy: DestinationPolicy, busy: Mapping[str, int]
) -> dict[str, int]:
    """Endpoint id -> how many more may go there; only of those where it is not all that the policy allows."""
    failing = {endpoint_id: found.room(now, policy) for endpoint_id, found in breakers.failing(connection).items()}
    return {each: failing.get(each, policy.in_flight) - busy.get(each, 0) for each in busy.keys() | failing.keys()}
