"""Waiting until a gateway has nothing left to do; its clock moves on when only time helps."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, bindparam, or_, select

from gateway.domain.errors import Transient
from gateway.domain.work import JobState
from gateway.store.engine import Database
from gateway.store.tables import outbox
from tests.acceptance.clock import Clock
from tests.acceptance.gateway import wait_for
from tests.peers.processes import PeerFailure

_SOON = timedelta(minutes=10)  # every retry here comes sooner; what recurs by the hour does not
_STUCK_AFTER_S = 2.0
_MOVE_ON = timedelta(seconds=35)  # longer than a message may be lost (30 s) before its row is rung for again
_IS_DUE = (outbox.c.state == JobState.PENDING) & (outbox.c.next_try_at < bindparam("soon"))
_MOVING = select(outbox).where(or_(_IS_DUE, outbox.c.state == JobState.CLAIMED)).order_by(outbox.c.id)


def wait_for_rest(database: Database, clock: Clock, timeout_s: float) -> None:
    """Until no row of the outbox is worked on or due soon.

    Where every row waits for its time, that time comes at once; where nothing has changed for a while, half a minute
    passes, for leases of the dead and messages that were lost.
    """
    seen: Sequence[Row[Any]] = ()
    changed_at = time.monotonic()

    def is_at_rest() -> bool:
        nonlocal seen, changed_at
        try:
            rows = _moving(database, clock)
        except Transient:
            return False
        if rows != seen:
            seen, changed_at = rows, time.monotonic()
        wait = min((row.next_try_at for row in rows), default=clock.now()) - clock.now()
        if wait > timedelta() and all(row.state == JobState.PENDING for row in rows):
            clock.advance(wait)
        elif time.monotonic() - changed_at > _STUCK_AFTER_S:
            clock.advance(_MOVE_ON)
            changed_at = time.monotonic()
        return not rows

    try:
        wait_for(is_at_rest, "the outbox to come to rest", timeout_s)
    except PeerFailure as failure:
        failure.add_note("\n".join(f"--- {dict(row._mapping)}" for row in _moving(database, clock)))
        raise


def _moving(database: Database, clock: Clock) -> Sequence[Row[Any]]:
    with database.read() as connection:
        return connection.execute(_MOVING, {"soon": clock.now() + _SOON}).all()
