"""Rules that every test keeps beside its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.domain.blobs import Blobs
from gateway.store.blobs import BlobDirectory
from gateway.store.blobs_s3 import S3Blobs
from gateway.store.engine import Database


def keep_blobs_out_of_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stores, renews, lists or removes blobs while this thread has a transaction open fails.

    Nobody waits for a disk or a bucket there, nor keeps a snapshot open that long.
    """
    thread = threading.local()
    begin, look = Database.write, Database.read

    @contextmanager
    def write(database: Database, name: str) -> Iterator[Connection]:
        with begin(database, name) as connection, _noted(thread, name):
            yield connection

    @contextmanager
    def read(database: Database) -> Iterator[Connection]:
        with look(database) as connection, _noted(thread, "of a reader"):
            yield connection

    def outside(store: Callable[..., Any]) -> Callable[..., Any]:
        def call(blobs: Blobs, *arguments: Any, **named: Any) -> Any:
            if under_way := getattr(thread, "transaction", ""):
                raise AssertionError(f"{store.__name__} of the blobs inside the transaction {under_way}")
            return store(blobs, *arguments, **named)

        return call

    monkeypatch.setattr(Database, "write", write)
    monkeypatch.setattr(Database, "read", read)
    for kind in (BlobDirectory, S3Blobs):
        for name in ("put", "adopt", "renew", "digests", "remove_stale"):
            monkeypatch.setattr(kind, name, outside(getattr(kind, name)))


@contextmanager
def _noted(thread: threading.local, transaction: str) -> Iterator[None]:
    before, thread.transaction = getattr(thread, "transaction", ""), transaction
    try:
        yield
    finally:
        thread.transaction = before
