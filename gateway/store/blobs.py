"""Blobs in a directory (`gateway.domain.blobs`). A blob is on the disk before anything refers to it.

Its age is its mtime, renewed and judged under a lock of the directory, so that no blob goes between the look at its age
and its end.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.domain.blobs import absent, damaged, gone
from gateway.store.disk import disk_errors, require_room, sync
from gateway.store.leftovers import remove_leftovers

PIECE_BYTES = 1 << 20
_MARK = "installation"


class BlobDirectory:
    """`<root>/ab/<sha256>`; writing the same bytes twice is a no-op.

    All 256 folders are on the disk from the start, so that a blob is durable once its own folder is synced.
    """

    def __init__(self, root: Path, *, min_free_bytes: int = 0) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        root.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (root / f"{number:02x}").mkdir(exist_ok=True)
        sync(root)  # also when they were there: whoever made them may not have come so far yet
        with suppress(PermissionError):  # a folder that is not ours had the root in it before
            sync(root.parent)

    def identity(self) -> str:
        """The mark in the folder, '' where it has none. Raises Transient."""
        with disk_errors():
            path = self._root / _MARK
            return path.read_text(encoding="ascii") if path.exists() else ""

    def mark(self, identity: str) -> str:
        """Mark the folder unless it is marked already; gives the mark that it has. Raises Full, Transient."""
        with disk_errors():
            partial = self._partial(_MARK)
            try:
                with partial.open("w", encoding="ascii") as file:
                    file.write(identity)
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):  # another program was first; its mark counts
                    (self._root / _MARK).hardlink_to(partial)
            finally:
                partial.unlink(missing_ok=True)
            sync(self._root)
        return self.identity()

    def put(self, content: bytes) -> str:
        """Store the bytes durably (file and folders fsynced) and give their SHA-256.

        Raises Full before the disk is full, Transient when it cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        with disk_errors():
            if self._is_there(digest):
                return digest
            self.require_room(len(content))
            partial = self._partial(digest)
            try:
                with partial.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                self._publish(partial, digest)
            finally:
                partial.unlink(missing_ok=True)
        return digest

    def adopt(self, spooled: Path, digest: str) -> None:
        """Move a spool file, already fsynced and on the same file system, to its place; `digest` is its SHA-256.

        Raises Full when the disk is, Transient when it cannot be written.
        """
        with disk_errors():
            if self._is_there(digest):
                spooled.unlink()
            else:
                self._publish(spooled, digest)

    def renew(self, digest: str) -> None:
        """Begin the age of a blob anew, since a row will refer to it. Raises Transient when it is not there."""
        with disk_errors():
            if not self._is_renewed(self.path(digest)):
                raise gone(digest)

    def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound, and Transient when they cannot be read or do not match their name any more."""
        with _reading(digest):
            content = self.path(digest).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise damaged(digest)
        return content

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in pieces, of which none is good before the last one has come. Raises as `get`."""
        hashed = hashlib.sha256()
        with _reading(digest), self.path(digest).open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                hashed.update(piece)
                yield piece
        if hashed.hexdigest() != digest:
            raise damaged(digest)

    def size_bytes(self, digest: str) -> int:
        """How many bytes it has, none of which is read. Raises NotFound, Transient."""
        with _reading(digest):
            return self.path(digest).stat().st_size

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        return self._root / digest[:2] / digest

    def digests(self) -> Iterator[str]:
        """Every blob there is, in order. Raises Transient."""
        with disk_errors():
            for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
                yield from sorted(path.name for path in folder.iterdir())

    def remove_stale(self, digest: str, *, before_s: float) -> bool:
        """Remove a blob whose age began before `before_s` (seconds since the epoch); False when it is younger.

        Raises Transient.
        """
        target = self.path(digest)
        with disk_errors(), self._age_lock(fcntl.LOCK_EX):
            try:
                is_stale = target.stat().st_mtime < before_s
            except FileNotFoundError:
                return False
            if is_stale:
                target.unlink()
            return is_stale

    @property
    def partial_folder(self) -> Path:
        """Where a blob grows until it is whole."""
        return self._root / "partial"

    def remove_partial(self, *, before_s: float) -> int:
        """Remove files that never became a blob and have not grown since `before_s`; gives how many."""
        with disk_errors():
            return remove_leftovers(self.partial_folder, before_s=before_s)

    def require_room(self, size_bytes: int) -> None:
        """Raise Full when storing this much would leave less than the reserve."""
        require_room(self._root, size_bytes, reserve_bytes=self._min_free_bytes)

    def check(self) -> None:
        """Raise Full at the reserve, Transient when the folder cannot be used."""
        self.require_room(0)
        with disk_errors():
            if not os.access(self._root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _partial(self, digest: str) -> Path:
        self.partial_folder.mkdir(exist_ok=True)
        return self.partial_folder / f"{digest}.{os.getpid()}.{os.urandom(4).hex()}"

    def _is_there(self, digest: str) -> bool:
        """True when the bytes are durable under their name, their age begun anew."""
        target = self.path(digest)
        is_there = self._is_renewed(target)
        if is_there:
            sync(target.parent)  # whoever put it there may not have come so far yet
        return is_there

    def _is_renewed(self, target: Path) -> bool:
        if not target.exists():  # nearly always; the lock is for what may be going
            return False
        with self._age_lock(fcntl.LOCK_SH):
            try:
                os.utime(target)
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def _age_lock(self, kind: int) -> Iterator[None]:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    def _publish(self, source: Path, digest: str) -> None:
        target = self.path(digest)
        source.replace(target)
        sync(target.parent)


@contextmanager
def _reading(digest: str) -> Iterator[None]:
    with disk_errors():
        try:
            yield
        except FileNotFoundError as exc:
            raise absent(digest) from exc
