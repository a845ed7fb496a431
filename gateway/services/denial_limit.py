"""How often those who are turned away leave a row, in one process: a flood must not fill the trail.

What is over the limit is counted, and one row tells how many there were: at the next look a minute after the first of
them, and when the process ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

import structlog

from gateway.domain.errors import GatewayError
from gateway.minute import Minute
from gateway.store import audit
from gateway.store.engine import Database

MOST_OF_ONE = 30
"""Refusals of one client or address that leave a row within a minute; the log of the edge has all of them."""
MOST_IN_ALL = 120
MOST_ADDRESSES = 30
"""Strangers whose refusals are counted apart; those of any other are counted together."""
SUMMED_UP_AFTER = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LeftOut:
    """Refusals between two moments that left no row: of a known `who`, of an address, or of several ('')."""

    who: str
    is_known: bool
    count: int
    since: datetime
    until: datetime


class DenialLimit:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._minute, self._lock = Minute(), Lock()
        self._left_out: dict[tuple[bool, str], LeftOut] = {}

    def leave(self, record: Callable[[], None], who: str, *, now: datetime, is_known: bool = False) -> None:
        """Have it recorded, as often as the rate of this client, person or address allows.

        A refusal that cannot be recorded stays one: nothing was shown.
        """
        if not self.is_recorded(who, is_known=is_known):
            self._count(LeftOut(who, is_known, 1, now, now))
            return
        try:
            record()
        except GatewayError as exc:
            self._count(LeftOut(who, is_known, 1, now, now))
            _log.warning("refusal unrecorded", reason=type(exc).__name__)

    def is_recorded(self, who: str, *, is_known: bool) -> bool:
        """Whether one more is to leave a row. What strangers do uses up nothing of what is kept for the known."""
        kind = "known" if is_known else "stranger"
        return self._minute.count(MOST_OF_ONE, kind, who) and self._minute.count(MOST_IN_ALL, kind)

    def sum_up(self, database: Database, *, actor: str, now: datetime, is_end: bool = False) -> None:
        """A row for each whose minute is over, or for all at the end; `actor` is this part of the gateway."""
        for one in self._taken(now, is_end=is_end):
            try:
                _record(database, one, actor, now)
            except GatewayError as exc:
                self._count(one)
                _log.warning("refusals unrecorded", count=one.count, reason=type(exc).__name__)

    def _count(self, more: LeftOut) -> None:
        with self._lock:
            key = (more.is_known, more.who)
            strangers = sum(1 for is_known, _ in self._left_out if not is_known)
            if key not in self._left_out and not more.is_known and strangers >= MOST_ADDRESSES:
                key, more = (False, ""), replace(more, who="")
            before = self._left_out.get(key, replace(more, count=0))
            since, until = min(before.since, more.since), max(before.until, more.until)
            self._left_out[key] = replace(more, count=before.count + more.count, since=since, until=until)

    def _taken(self, now: datetime, *, is_end: bool) -> list[LeftOut]:
        if not self._left_out:
            return []
        with self._lock:
            due = [key for key, one in self._left_out.items() if is_end or now - one.since >= SUMMED_UP_AFTER]
            return [self._left_out.pop(key) for key in due]


def _record(database: Database, left_out: LeftOut, actor: str, now: datetime) -> None:
    span = {"since": left_out.since.isoformat(), "until": left_out.until.isoformat()}
    address = {} if left_out.is_known else {"address": left_out.who or "several"}
    with database.write("access.deny") as connection:
        audit.record(
            connection,
            at=now,
            actor=left_out.who if left_out.is_known else actor,
            action="refusals.left-out",
            outcome="denied",
            subject="refusals",
            details={"left_out": left_out.count, **span, **address},
        )
