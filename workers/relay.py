"""The relay: rings for every row of the outbox that wants a worker, a bounded number at a time.

Several relays may run: ringing twice is harmless, because only the claim gives a row away.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import JobKind
from gateway.store import audit_chain, doorbell
from gateway.store.engine import Database
from workers.waiting import SAID_AGAIN_AFTER_S, Waiting, reason_of

_REST_S = 0.05
"""Between two rings: what ends meanwhile makes room for as many at once. The first ring after a silence is prompt."""


class Dispatcher(Protocol):
    """Tells a worker that a row of the outbox wants it. It may be told twice, or the message may be lost."""

    @property
    def ring_again_after(self) -> timedelta:
        """A row that was rung for and not claimed by then is rung for again: the message may be lost."""
        ...

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
        self._waiting = Waiting("relay.waiting", again_after_s=SAID_AGAIN_AFTER_S)

    def run(self, ended: threading.Event) -> None:
        """Ring and seal at every poll until `ended`, and ring on `news`. A database that is away is waited for."""
        seal_at = time.monotonic()
        while not ended.is_set():
            self._news.wait(self._poll_s)
            self._news.clear()
            try:
                if self.ring():
                    self._news.set()  # more may be due, and have room by then
                if time.monotonic() >= seal_at:
                    self.seal()
                    seal_at = time.monotonic() + self._poll_s
            except Exception as exc:  # noqa: BLE001  # a process edge: a relay that ends would strand everything
                self._waiting.because(reason_of(exc))
            else:
                self._waiting.over()
            ended.wait(_REST_S)

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
            if not audit_chain.has_unsealed(connection):
                return
        with self._database.write("audit.seal") as connection:
            audit_chain.seal(connection, now=self._now())
