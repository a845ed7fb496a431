"""What every place for blobs promises: a directory, and a bucket of an S3-speaking server."""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from gateway.domain.blobs import Blobs
from gateway.domain.errors import Full, NotFound, Transient
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from tests.integration.store.buckets import s3_blobs
from tests.peers.moto import Moto

SIZES = (0, 7, 9 << 20)
"""Nothing, what goes up in one piece, and what goes up in parts."""
OpenBlobs = Callable[[int], Blobs]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """No database is asked here."""
    return f"sqlite:///{tmp_path}/consilium.db"


@pytest.fixture(params=["directory", "s3"])
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> OpenBlobs:
    """Opens the same store again, with a reserve of so many bytes on the disk."""
    if request.param == "directory":
        return lambda reserve: BlobDirectory(tmp_path / "blobs", min_free_bytes=reserve)
    moto: Moto = request.getfixturevalue("moto")
    bucket = moto.create_bucket()
    return lambda reserve: s3_blobs(bucket, tmp_path, turn=lambda _name: nullcontext(), min_free_bytes=reserve)


@pytest.fixture
def blobs(open_blobs: OpenBlobs) -> Blobs:
    return open_blobs(0)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _spooled(folder: Path, content: bytes) -> Path:
    path = folder / "spooled"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", SIZES)
def test_the_same_bytes_are_one_blob(blobs: Blobs, size: int) -> None:
    content = os.urandom(size)
    assert blobs.put(content) == blobs.put(content) == _digest(content)
    assert blobs.get(_digest(content)) == b"".join(blobs.stream(_digest(content))) == content
    assert blobs.size_bytes(_digest(content)) == size
    assert list(blobs.digests()) == [_digest(content)]


@pytest.mark.parametrize("size", SIZES)
def test_a_spool_file_becomes_a_blob_and_goes(blobs: Blobs, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    for _ in range(2):
        spooled = _spooled(tmp_path, content)
        blobs.adopt(spooled, _digest(content))
        assert not spooled.exists()
        assert blobs.get(_digest(content)) == content


def test_what_was_stored_is_there_for_whoever_opens_the_store_again(blobs: Blobs, open_blobs: OpenBlobs) -> None:
    assert open_blobs(0).get(blobs.put(b"a study")) == b"a study"


def test_blobs_are_listed_in_order(blobs: Blobs) -> None:
    digests = [blobs.put(bytes([number])) for number in range(20)]
    assert list(blobs.digests()) == sorted(digests)


def test_absence_is_said(blobs: Blobs) -> None:
    nothing = "0" * 64
    with pytest.raises(NotFound):
        blobs.get(nothing)
    with pytest.raises(NotFound):
        list(blobs.stream(nothing))
    with pytest.raises(Transient, match="stored again"):
        blobs.renew(nothing)
    with pytest.raises(NotFound):
        blobs.size_bytes(nothing)
    assert not blobs.remove_stale(nothing, before_s=time.time())


def test_damage_is_seen(blobs: Blobs, tmp_path: Path) -> None:
    digest = _digest(b"something else")
    blobs.adopt(_spooled(tmp_path, b"rotten"), digest)
    with pytest.raises(Transient, match="damaged"):
        blobs.get(digest)
    with pytest.raises(Transient, match="damaged"):
        list(blobs.stream(digest))


def test_only_what_is_older_is_removed(blobs: Blobs) -> None:
    digest = blobs.put(b"a study")
    assert not blobs.remove_stale(digest, before_s=time.time() - 60)
    assert blobs.get(digest) == b"a study"
    assert blobs.remove_stale(digest, before_s=time.time() + 60)
    assert list(blobs.digests()) == []
    assert blobs.put(b"a study") == digest
    assert blobs.get(digest) == b"a study"


def test_nothing_is_taken_into_the_reserve(open_blobs: OpenBlobs) -> None:
    blobs = open_blobs(1 << 62)
    with pytest.raises(Full):
        blobs.require_room(1)
    with pytest.raises(Full):
        blobs.check()


def test_a_store_that_is_well_says_so(blobs: Blobs) -> None:
    blobs.check()
    assert list(blobs.digests()) == []


def test_nothing_is_stored_inside_a_transaction(blobs: Blobs, database: Database, tmp_path: Path) -> None:
    spooled = _spooled(tmp_path, b"a study")
    with database.write("test"):
        with pytest.raises(AssertionError, match="inside the transaction test"):
            blobs.put(b"a study")
        with pytest.raises(AssertionError, match="inside the transaction test"):
            blobs.adopt(spooled, _digest(b"a study"))


def test_a_store_keeps_the_first_mark_it_gets_and_it_is_no_blob(open_blobs: OpenBlobs) -> None:
    blobs = open_blobs(0)
    assert blobs.identity() == ""
    assert blobs.mark("first") == "first"
    assert open_blobs(0).mark("second") == "first"
    assert open_blobs(0).identity() == "first"
    assert list(blobs.digests()) == []
    assert blobs.remove_partial(before_s=time.time() + 3600) == 0
    assert blobs.identity() == "first"
