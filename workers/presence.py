"""Shows in the database that this worker is there, beside its work and until it ends."""

import socket
import threading
from collections.abc import Callable, Collection
from datetime import datetime

from gateway.domain.ids import new_id
from gateway.domain.work import WorkerPresence
from gateway.store import workers
from gateway.store.engine import Database
from workers.waiting import Waiting, reason_of

_PATIENCE_AT_END_S = 5.0


class Presence:
    """One worker as others see it; `waits_for` says what keeps it from its work now, '' for nothing."""

    def __init__(
        self, database: Database, *, now: Callable[[], datetime], queues: Collection[str], waits_for: Callable[[], str]
    ) -> None:
        self._database = database
        self._now = now
        self._queues = frozenset(queues)
        self._waits_for = waits_for
        self._id = new_id()
        self._waiting = Waiting("presence.waiting")
        self._thread = threading.Thread(target=self._keep, name="presence", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Show it from now on; a database that is away, or has no schema yet, is waited for."""
        self._thread.start()

    def end(self) -> None:
        """It is no longer there; soon, also where the database is away."""
        self._ended.set()
        self._thread.join(_PATIENCE_AT_END_S)

    def show(self) -> None:
        """Once."""
        found = WorkerPresence(socket.gethostname(), self._queues, self._waits_for())
        with self._database.write("worker.show") as connection:
            workers.show(connection, self._id, found, now=self._now())

    def leave(self) -> None:
        """Take it back."""
        with self._database.write("worker.leave") as connection:
            workers.leave(connection, self._id)

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._try(self.show)
            self._ended.wait(workers.SHOWN_EVERY_S)
        self._try(self.leave)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as exc:  # noqa: BLE001  # the edge of a thread: the next time may reach the database
            self._waiting.because(reason_of(exc))
        else:
            self._waiting.over()
