"""Blobs in an S3-compatible object store (`gateway.domain.blobs`), which several machines may share.

The key is the prefix and the SHA-256. An object is made by a conditional put (`If-None-Match: *`), so that what is
there stays; large ones go up in parts. The store gets the SHA-256 of what it is sent, and we compare that of what we
read.

The age of a blob is the store's Last-Modified. It is young enough for whoever will refer to it while less than half of
the age of leftovers has gone; an older one is written anew, while no process removes it: both hold the database's turn
of that blob. The clocks of the store and of our machines differ by much less than half of that age.

What a killed process left of an upload in parts is no object, and we cannot list it: the bucket needs a lifecycle rule
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from gateway.domain.blobs import absent, damaged, gone
from gateway.domain.errors import Transient
from gateway.store.blobs import PIECE_BYTES
from gateway.store.bucket import Bucket, open_bucket, store_errors
from gateway.store.disk import disk_errors, require_room

PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_DIGEST_LENGTH = 64
_SCRATCH = "scratch"
_MARK = "installation"
Turn = Callable[[str], AbstractContextManager[None]]


class S3Blobs:
    """One bucket, below one prefix.

    `turn` holds a name against every other process; `leftover_age` is the age at which `remove_stale` is asked to take
    blobs. `spool_folder` is on the disk whose reserve `require_room` keeps, since what arrives grows there.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        turn: Turn,
        now: Callable[[], datetime],
        leftover_age: timedelta,
        spool_folder: Path,
        min_free_bytes: int = 0,
    ) -> None:
        self._store = open_bucket(bucket)
        self._turn = turn
        self._now = now
        self._young = leftover_age / 2
        self._spool_folder = spool_folder
        self._min_free_bytes = min_free_bytes
        with disk_errors():
            spool_folder.mkdir(parents=True, exist_ok=True)

    def identity(self) -> str:
        """The mark below the prefix, '' where it has none. Raises Transient."""
        with store_errors():
            try:
                return bytes(obstore.get(self._store, _MARK).bytes()).decode("ascii")
            except FileNotFoundError:
                self._list()  # is it the whole bucket that is missing?
                return ""

    def mark(self, identity: str) -> str:
        """Mark the prefix unless it is marked already; gives the mark that it has. Raises Full, Transient."""
        with store_errors():
            self._is_created(_MARK, identity.encode("ascii"))
        return self.identity()

    def put(self, content: bytes) -> str:
        """Store the bytes durably and give their SHA-256. Raises Full, Transient."""
        digest = hashlib.sha256(content).hexdigest()
        self._keep(digest, content, len(content))
        return digest

    def adopt(self, spooled: Path, digest: str) -> None:
        """Upload a spool file whose SHA-256 is `digest`, then remove it. Raises Full, Transient."""
        with disk_errors():
            self._keep(digest, spooled, spooled.stat().st_size)
            spooled.unlink()

    def renew(self, digest: str) -> None:
        """Begin the age of a blob anew where that is needed. Raises Transient when it is not there."""
        with store_errors():
            try:
                if not self._is_young(digest):
                    self._copy_onto_itself(digest)
            except FileNotFoundError as exc:
                raise gone(digest) from exc

    def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound, and Transient when they cannot be read or do not match their name any more."""
        with self._reading(digest):
            content = bytes(obstore.get(self._store, digest).bytes())
        if hashlib.sha256(content).hexdigest() != digest:
            raise damaged(digest)
        return content

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces, of which none is good before the last one has come. Raises as `get`."""
        hashed = hashlib.sha256()
        with self._reading(digest):
            for piece in obstore.get(self._store, digest).stream(min_chunk_size=PIECE_BYTES):
                hashed.update(piece)
                yield bytes(piece)
        if hashed.hexdigest() != digest:
            raise damaged(digest)

    def size_bytes(self, digest: str) -> int:
        """How many bytes it has, none of which is read. Raises NotFound, Transient."""
        with self._reading(digest):
            return obstore.head(self._store, digest)["size"]

    def digests(self) -> Iterator[str]:
        """Every blob there is, in the order of the store's list, which is that of the keys."""
        with store_errors():
            for page in obstore.list(self._store):
                yield from (one["path"] for one in page if len(one["path"]) == _DIGEST_LENGTH)

    def remove_stale(self, digest: str, *, before_s: float) -> bool:
        """Remove a blob whose age began before `before_s` (seconds since the epoch); False when it is younger."""
        with store_errors(), self._turn(_turn_of(digest)):
            try:
                is_stale = self._began(digest).timestamp() < before_s
            except FileNotFoundError:
                return False
            if is_stale:
                obstore.delete(self._store, digest)
            return is_stale

    def remove_partial(self, *, before_s: float) -> int:
        """Remove scratch objects that a killed process left; uploads in parts are the lifecycle rule's."""
        with store_errors():
            found = [one for page in obstore.list(self._store, _SCRATCH) for one in page]
            stale = [one["path"] for one in found if one["last_modified"].timestamp() < before_s]
            for path in stale:
                obstore.delete(self._store, path)
        return len(stale)

    def require_room(self, size_bytes: int) -> None:
        """Raise Full when the disk of the spool would be left with less than its reserve."""
        require_room(self._spool_folder, size_bytes, reserve_bytes=self._min_free_bytes)

    def check(self) -> None:
        """Raise Full at the reserve of the spool's disk, Transient when the bucket cannot be listed."""
        self.require_room(0)
        with store_errors():
            self._list()

    def probe(self) -> None:
        """Write an object, read it back and remove it again. Raises Full, Transient."""
        content = uuid4().bytes
        with store_errors(), self._scratch() as path:
            obstore.put(self._store, path, content, mode="create")
            if bytes(obstore.get(self._store, path).bytes()) != content:
                raise Transient("the object store gives other bytes than it was given")

    def _keep(self, digest: str, source: bytes | Path, size_bytes: int) -> None:
        with store_errors():
            if size_bytes > PART_BYTES:
                is_new = not self._is_there(digest)  # an upload in parts knows no condition
                if is_new:
                    self._write(digest, source)
            else:
                is_new = self._is_created(digest, source)
            if not is_new and not self._is_young(digest):
                with self._turn(_turn_of(digest)):
                    self._write(digest, source)

    @contextmanager
    def _reading(self, digest: str) -> Iterator[None]:
        with store_errors():
            try:
                yield
            except FileNotFoundError as exc:
                self._list()  # is it the whole bucket that is missing?
                raise absent(digest) from exc

    def _list(self) -> None:
        """Do nothing where the bucket is there and lets us look."""
        obstore.list_with_delimiter(self._store, _SCRATCH)

    def _is_created(self, digest: str, source: bytes | Path) -> bool:
        """False when it was there before."""
        try:
            obstore.put(self._store, digest, source, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def _write(self, digest: str, source: bytes | Path) -> None:
        """Put it there whatever was there before; the bytes are the same, its age begins anew."""
        obstore.put(self._store, digest, source, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)

    def _copy_onto_itself(self, digest: str) -> None:
        """By way of a scratch object: S3 copies nothing onto itself that does not change."""
        with self._turn(_turn_of(digest)), self._scratch() as path:
            obstore.copy(self._store, digest, path)
            obstore.copy(self._store, path, digest)

    @contextmanager
    def _scratch(self) -> Iterator[str]:
        """The name of an object that is gone when the block ends."""
        path = f"{_SCRATCH}/{uuid4().hex}"
        try:
            yield path
        finally:
            with suppress(BaseError, FileNotFoundError):  # `remove_partial` comes for it
                obstore.delete(self._store, path)

    def _is_there(self, digest: str) -> bool:
        try:
            self._began(digest)
        except FileNotFoundError:
            return False
        return True

    def _is_young(self, digest: str) -> bool:
        """False as well for one that went meanwhile: whoever has the bytes writes them anew."""
        try:
            return self._now() - self._began(digest) < self._young
        except FileNotFoundError:
            return False

    def _began(self, digest: str) -> datetime:
        return obstore.head(self._store, digest)["last_modified"]


def _turn_of(digest: str) -> str:
    return f"blob {digest}"
