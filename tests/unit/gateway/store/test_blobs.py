"""Blobs are named by their content, are whole or not there, and stop before the disk is full."""

import errno
import hashlib
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.domain.errors import Full, GatewayError, NotFound, Transient
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database

CONTENT = b"a study"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_the_same_bytes_are_one_file(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path)
    assert blobs.put(CONTENT) == blobs.put(CONTENT) == DIGEST
    assert blobs.get(DIGEST) == CONTENT
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [DIGEST]


def test_a_spool_file_moves_to_its_place(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path / "blobs")
    for _ in range(2):
        spooled = tmp_path / "spooled"
        spooled.write_bytes(CONTENT)
        blobs.adopt(spooled, DIGEST)
        assert not spooled.exists()
        assert blobs.get(DIGEST) == CONTENT


def test_damage_is_seen_and_absence_is_said(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path)
    blobs.path(blobs.put(CONTENT)).write_bytes(b"rotten")
    with pytest.raises(Transient, match="damaged"):
        blobs.get(DIGEST)
    with pytest.raises(NotFound):
        blobs.get("0" * 64)


def test_nothing_is_taken_into_the_reserve(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path, min_free_bytes=1 << 62)
    with pytest.raises(Full):
        blobs.put(CONTENT)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_tests_notice_a_blob_that_is_stored_inside_a_transaction(tmp_path: Path, database: Database) -> None:
    blobs = BlobDirectory(tmp_path / "blobs")
    spooled = tmp_path / "spooled"
    spooled.write_bytes(CONTENT)
    with database.write("test"):
        with pytest.raises(AssertionError, match="inside the transaction test"):
            blobs.put(CONTENT)
        with pytest.raises(AssertionError, match="inside the transaction test"):
            blobs.adopt(spooled, DIGEST)
    assert blobs.put(CONTENT) == DIGEST


@pytest.mark.parametrize(
    ("number", "refusal"),
    [(errno.ENOSPC, Full), (errno.EDQUOT, Full), (errno.EACCES, Transient), (errno.EIO, Transient)],
)
def test_what_the_disk_refuses_is_told_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, refusal: type[GatewayError]
) -> None:
    blobs = BlobDirectory(tmp_path / "blobs")
    spooled = tmp_path / "spooled"
    spooled.write_bytes(CONTENT)

    def fsync(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(refusal):
        blobs.put(b"another study")
    with pytest.raises(refusal):
        blobs.adopt(spooled, DIGEST)
    assert list(blobs.partial_folder.iterdir()) == []


@contextmanager
def _no_file_to_be_had() -> Iterator[None]:
    """Every file that is opened fails with EMFILE (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "use",
    [
        lambda blobs: blobs.get(DIGEST),
        lambda blobs: list(blobs.stream(DIGEST)),
        lambda blobs: blobs.renew(DIGEST),
        lambda blobs: list(blobs.digests()),
        lambda blobs: blobs.remove_stale(DIGEST, before_s=0),
    ],
    ids=["get", "stream", "renew", "digests", "remove_stale"],
)
def test_what_the_system_refuses_to_open_may_be_had_later(
    tmp_path: Path, use: Callable[[BlobDirectory], object]
) -> None:
    blobs = BlobDirectory(tmp_path)
    blobs.put(CONTENT)
    with _no_file_to_be_had(), pytest.raises(Transient, match=os.strerror(errno.EMFILE)):
        use(blobs)


def test_a_size_that_cannot_be_looked_up_may_be_had_later(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path)
    blobs.path(DIGEST).symlink_to(blobs.path(DIGEST))
    with pytest.raises(Transient, match=os.strerror(errno.ELOOP)):
        blobs.size_bytes(DIGEST)


def test_every_folder_is_on_the_disk_before_a_blob_is_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts second must not trust folders that the first one may not have synced yet."""
    root = tmp_path / "blobs"
    synced: list[tuple[int, int]] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, len(list(root.glob("[0-9a-f][0-9a-f]")))))

    monkeypatch.setattr(os, "fsync", fsync)
    for started in (1, 2):
        BlobDirectory(root)
        assert synced.count((root.stat().st_ino, 256)) == started
