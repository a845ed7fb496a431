"""The relay: rings for every row of the outbox that wants a worker, a bounded number at a time.

Several relays may run: ringing twice is harmless, because only the claim gives a row away.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

import structlog

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import JobKind
from gateway.store import audit, doorbell
from gateway.store.engine import Database

_log = structlog.get_logger()


class Dispatcher(Protocol):
    """Tells a worker that a row of the outbox wants it. It may be told twice, or the message may be lost."""

    ring_again_after: timedelta
    """A row that was rung for and not claimed by then is rung for again: the message may be lost."""

    def room(self) -> Mapping[str, int]:
        """Queue -> how many more of it may be in flight now; none holds back another."""
        ...

    def holding(self) -> frozenset[str]:
        """Rows that need no ringing, because this process has them."""
        ...

    def dispatch(self, kind: JobKind, job_id: str) -> bool:
        """Tell one; False when nobody could be told. Raises nothing that loses the row: it is told again."""
        ...


class Relay:
    """Reads what is due and dispatches it, and seals the audit chain behind it."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        *,
        now: Callable[[], datetime],
        policy: DestinationPolicy,
        poll_s: float,
        news: threading.Event,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._now = now
        self._policy = policy
        self._poll_s = poll_s
        self._news = news

    def run(self, ended: threading.Event) -> None:
        """Ring and seal at every poll, and at once on `news`, until `ended`. A database that is away is waited for."""
        while not ended.is_set():
            self._news.wait(self._poll_s)
            self._news.clear()
            try:
                while self.ring() and not ended.is_set():
                    pass
                self.seal()
            except Exception as exc:  # noqa: BLE001  # a process edge: a relay that ends would strand everything
                _log.warning("relay.waiting", error=type(exc).__name__)

    def ring(self) -> int:
        """Dispatch what is due and fits; gives how many were told."""
        room = self._dispatcher.room()
        with self._database.read() as connection:
            rows = doorbell.due(
                connection,
                self._now(),
                room=room,
                policy=self._policy,
                ring_again_after=self._dispatcher.ring_again_after,
                holding=self._dispatcher.holding(),
            )
        if not rows:
            return 0
        with self._database.write("relay.ring") as connection:
            doorbell.rung(connection, [job_id for job_id, _ in rows], self._now())
        told = sum(1 for _ in takewhile(lambda row: self._dispatcher.dispatch(row[1], row[0]), rows))
        if untold := [job_id for job_id, _ in rows[told:]]:
            with self._database.write("relay.unring") as connection:
                doorbell.unrung(connection, untold)
        return told

    def seal(self) -> None:
        """Chain the audit rows that were committed since."""
        with self._database.read() as connection:
            if not audit.has_unsealed(connection):
                return
        with self._database.write("audit.seal") as connection:
            audit.seal(connection, now=self._now())
