"""Blobs in a bucket of a test."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.store.blobs_s3 import S3Blobs
from gateway.store.bucket import Bucket

LEFTOVER_AGE = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def s3_blobs(
    bucket: Bucket,
    folder: Path,
    *,
    turn: Callable[[str], AbstractContextManager[None]],
    clock: Callable[[], datetime] = now,
    min_free_bytes: int = 0,
) -> S3Blobs:
    return S3Blobs(
        bucket,
        turn=turn,
        now=clock,
        leftover_age=LEFTOVER_AGE,
        spool_folder=folder / "spool",
        min_free_bytes=min_free_bytes,
    )
