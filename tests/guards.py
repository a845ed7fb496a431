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
    """A blob that is stored while this thread has a transaction open is a failure: nobody waits for a disk there."""
    writing = threading.local()
    begin = Database.write

    @contextmanager
    def write(database: Database, name: str) -> Iterator[Connection]:
        with begin(database, name) as connection:
            writing.name = name
            try:
                yield connection
            finally:
                writing.name = ""

    def outside(store: Callable[..., Any]) -> Callable[..., Any]:
        def call(blobs: Blobs, *arguments: Any) -> Any:
            name = getattr(writing, "name", "")
            if name:
                raise AssertionError(f"a blob is stored inside the transaction {name}")
            return store(blobs, *arguments)

        return call

    monkeypatch.setattr(Database, "write", write)
    for kind in (BlobDirectory, S3Blobs):
        for name in ("put", "adopt"):
            monkeypatch.setattr(kind, name, outside(getattr(kind, name)))
