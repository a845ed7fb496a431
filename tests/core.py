"""A core over the database of a test, and a clock that the test moves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.services.core import Core
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database

PSEUDONYM_KEY = b"k" * 32
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until told to move."""

    time: datetime = START

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        """`by` is what timedelta takes."""
        self.time += timedelta(**by)


def core_over(
    database: Database, folder: Path, now: Callable[[], datetime], *, retry: RetryPolicy | None = None
) -> Core:
    """Blobs in a folder of their own, a fixed key, and the rest as the settings have it by default."""
    return Core(
        database=database,
        blobs=BlobDirectory(folder / "blobs"),
        now=now,
        pseudonym_key=PSEUDONYM_KEY,
        token_prefix="CS",
        quiet_period=timedelta(seconds=60),
        retry=retry or RetryPolicy(),
        destinations=DestinationPolicy(),
        institution=Institution("centre", "", ""),
    )


def unasked() -> None:
    """In the place of a permission: what these tests send belongs to nobody."""
