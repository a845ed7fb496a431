"""Immutable bytes by their SHA-256, in a directory. A blob is on the disk before anything refers to it.

Whoever is about to refer to a blob stores, adopts or renews it first, which begins its age anew (its mtime), and
commits the row well before the age at which `remove_stale` takes what no row refers to. The age is renewed and judged
under a lock of the directory, so that no blob goes between the look at its age and its end.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.domain.errors import Full, NotFound, Transient


class BlobDirectory:
    """`<root>/ab/<sha256>`; writing the same bytes twice is a no-op."""

    def __init__(self, root: Path, *, min_free_bytes: int = 0) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        root.mkdir(parents=True, exist_ok=True)

    def put(self, content: bytes) -> str:
        """Store the bytes durably (file and folders fsynced) and give their SHA-256. Raises Full before it is full."""
        digest = hashlib.sha256(content).hexdigest()
        target = self.path(digest)
        if self._is_renewed(target):
            sync_folder(target.parent)  # whoever put it there may not have come so far yet
            return digest
        self.require_room(len(content))
        partial = self._partial(digest)
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._publish(partial, target)
        except OSError as exc:
            raise Full(f"the blob store cannot be written ({exc.strerror})") from exc
        finally:
            partial.unlink(missing_ok=True)
        return digest

    def adopt(self, spooled: Path, digest: str) -> None:
        """Move a spool file, already fsynced and on the same file system, to its place; `digest` is its SHA-256."""
        target = self.path(digest)
        if self._is_renewed(target):
            sync_folder(target.parent)
            spooled.unlink()
            return
        self._publish(spooled, target)

    def renew(self, digest: str) -> None:
        """Begin the age of a blob anew, since a row will refer to it. Raises Transient when it is not there."""
        if not self._is_renewed(self.path(digest)):
            raise Transient(f"blob {digest[:12]} has to be stored again")

    def get(self, digest: str) -> bytes:
        """The bytes. Raises NotFound when there are none, Transient when they do not match their name any more."""
        try:
            content = self.path(digest).read_bytes()
        except FileNotFoundError as exc:
            raise NotFound(f"blob {digest[:12]} is not in the store") from exc
        if hashlib.sha256(content).hexdigest() != digest:
            raise Transient(f"blob {digest[:12]} is damaged on disk; restore it from the backup")
        return content

    def path(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        return self._root / digest[:2] / digest

    def digests(self) -> Iterator[str]:
        """Every blob there is, in order."""
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            yield from sorted(path.name for path in folder.iterdir())

    def remove_stale(self, digest: str, *, before: float) -> bool:
        """Remove a blob whose age began `before` (a time in seconds since the epoch); False when it is younger."""
        target = self.path(digest)
        with self._age_lock(fcntl.LOCK_EX):
            try:
                is_stale = target.stat().st_mtime < before
            except FileNotFoundError:
                return False
            if is_stale:
                target.unlink()
            return is_stale

    @property
    def partial_folder(self) -> Path:
        """Where a blob grows until it is whole."""
        return self._root / "partial"

    def require_room(self, size_bytes: int) -> None:
        """Raise Full when storing this much would leave less than the reserve."""
        if shutil.disk_usage(self._root).free - size_bytes < self._min_free_bytes:
            raise Full("the blob store's disk is at its reserve; nothing was accepted")

    def _partial(self, digest: str) -> Path:
        self.partial_folder.mkdir(exist_ok=True)
        return self.partial_folder / f"{digest}.{os.getpid()}.{os.urandom(4).hex()}"

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

    def _publish(self, source: Path, target: Path) -> None:
        is_new_folder = not target.parent.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        sync_folder(target.parent)
        if is_new_folder:
            sync_folder(self._root)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable (fsync of the directory)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
