"""A worker of the gateway as production runs it, over a copy of a seeded installation, and what it costs."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import func, select

from benchmarks.delivery.processes import cpu_s
from benchmarks.delivery.seeding import release, sent
from gateway.domain.work import JobKind, JobState
from gateway.store.engine import Database
from gateway.store.tables import outbox
from tests.core import PSEUDONYM_KEY
from tests.peers.processes import Process, wait_until

WORKER = ("gateway.cli", "worker")
WARM_UP = 16
"""Sendings before anything is measured: what is imported and connected once must not count."""

SOURCES = str(Path(__file__).parents[2])


class Station:
    """Use as a context manager; `settings` are CONSILIUM_* variables over the defaults."""

    def __init__(
        self, folder: Path, *, database_url: str = "", program: Sequence[str] = WORKER, **settings: str
    ) -> None:
        self.database = Database(database_url or f"sqlite:///{folder}/consilium.db")
        environment = {
            "CONSILIUM_DATA_DIR": str(folder),
            "CONSILIUM_LOG__LEVEL": "WARNING",
            "PYTHONPATH": SOURCES,
            **({"CONSILIUM_DATABASE_URL": database_url} if database_url else {}),
            **settings,
        }
        make_key(folder / "keys" / "pseudonym.key")
        self.worker = Process("worker", (sys.executable, "-m", *program), folder=folder, environment=environment)

    def cpu_s(self) -> float:
        """User and system time of the worker's process so far, and of the children it has waited for."""
        return cpu_s(self.worker.pid)

    def send(self, number: int | None = None, *, besides: Sequence[str] = (), timeout_s: float = 600) -> float:
        """Let so many sendings go, or all but those to `besides`; gives the seconds until the last was settled."""
        before = self._sent(besides)
        with self.database.read() as connection:
            waiting = select(func.count()).select_from(outbox).where(outbox.c.kind == JobKind.DELIVERY_SEND)
            waiting = waiting.where(outbox.c.state == JobState.PENDING, outbox.c.endpoint_id.not_in(besides))
            expected = before + (number or connection.execute(waiting).scalar_one())
        begin = release(self.database, number, besides=besides)
        self.wait(lambda: self._sent(besides) >= expected, f"{expected} sendings", timeout_s)
        return (self._last_settled_at(besides) - begin).total_seconds()

    def wait(self, condition: object, waiting_for: str, timeout_s: float) -> None:
        """Until `condition()` is true, while the worker runs."""
        assert callable(condition)
        wait_until(lambda: not self.worker.is_running or condition(), timeout_s=timeout_s, waiting_for=waiting_for)
        if not self.worker.is_running:
            raise RuntimeError(self.worker.describe_log())

    def _sent(self, besides: Sequence[str]) -> int:
        with self.database.read() as connection:
            return sent(connection, besides=besides)

    def _last_settled_at(self, besides: Sequence[str]) -> datetime:
        query = select(func.max(outbox.c.settled_at)).where(outbox.c.kind == JobKind.DELIVERY_SEND)
        with self.database.read() as connection:
            last: datetime = connection.execute(query.where(outbox.c.endpoint_id.not_in(besides))).scalar_one()
        return last

    def __enter__(self) -> Self:
        self.worker.start(is_ready=lambda: self.worker.is_running)
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop(timeout_s=30)
        self.database.dispose()


def make_key(path: Path) -> None:
    """The one it was seeded with: only a new installation makes its own."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(PSEUDONYM_KEY)
    path.chmod(0o600)


def copied(seeded: Path, folder: Path) -> Path:
    """A copy of a seeded data folder: every run begins alike."""
    return Path(shutil.copytree(seeded, folder))
