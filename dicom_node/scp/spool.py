"""Where an object lies between its first fragment and its promise: one file each, gone when it is not adopted."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dicom_node.scp.digest import FollowingDigest
from gateway.domain.errors import Full
from gateway.store.leftovers import LOCK

_CHECK_EVERY_BYTES = 1 << 26


class SpoolFolder:
    """A node's own folder below `root`, held by a lock for as long as the process lives.

    Several nodes may share a root: each start deletes the folders whose owner is dead, and only those.
    """

    def __init__(self, root: Path, *, reserve_bytes: int) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._reserve_bytes = reserve_bytes
        self.path = root / f"node-{secrets.token_hex(8)}"
        with _gate(root):  # nobody sweeps between the making of a folder and its lock
            _sweep(root)
            self.path.mkdir(mode=0o700)
            self._lock = (self.path / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def create(self) -> "SpoolFile":
        """A new empty file. Raises Full when the disk is at its reserve."""
        self.require_room()
        return SpoolFile(self, self.path / f"{secrets.token_hex(8)}.dcm")

    def require_room(self) -> None:
        """Raise Full when less than the reserve is free."""
        disk = os.statvfs(self.path)
        if disk.f_bavail * disk.f_frsize < self._reserve_bytes:
            raise Full("the spool's disk is at its reserve")

    def remove(self) -> None:
        """Give the folder up with whatever is left in it."""
        with _gate(self._root):  # a node that starts meets the whole folder or none
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()


class SpoolFile:
    """Written front to back, and hashed meanwhile."""

    def __init__(self, folder: SpoolFolder, path: Path) -> None:
        self._folder = folder
        self._unchecked_bytes = 0
        self._descriptor = _open(path)
        self._digest = FollowingDigest(self._descriptor)
        self.path = path
        self.size_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`. Raises Full when there is no room, before the disk is really full where it can."""
        self._unchecked_bytes += len(data)
        if self._unchecked_bytes > _CHECK_EVERY_BYTES:
            self._unchecked_bytes = 0
            self._folder.require_room()
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as exc:
            raise Full(f"the spool cannot be written ({exc.strerror})") from exc
        self.size_bytes += len(data)
        self._digest.advance(self.size_bytes)

    def fileno(self) -> int:
        """The open descriptor, readable too."""
        return self._descriptor

    def settle(self) -> str:
        """Return the SHA-256 when all bytes are on the disk. Raises Full when the disk refuses."""
        self._digest.complete(self.size_bytes)
        try:
            os.fdatasync(self._descriptor)
            return self._digest.hexdigest()
        except OSError as exc:
            raise Full(f"the spool cannot be synced ({exc.strerror})") from exc

    def discard(self) -> None:
        """Close, and delete the file if nobody has moved it away. May be called twice."""
        if self._descriptor >= 0:
            self._digest.abandon()
            os.close(self._descriptor)
            self._descriptor = -1
            self.path.unlink(missing_ok=True)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise Full(f"the spool takes no new file ({exc.strerror})") from exc


@contextmanager
def _gate(root: Path) -> Iterator[None]:
    """One node at a time makes, sweeps or removes folders of the root."""
    with (root / LOCK).open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _sweep(root: Path) -> None:
    for folder in root.glob("node-*"):
        with suppress(FileNotFoundError):  # somebody else removed it, or a file in it
            _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # its node is alive
        shutil.rmtree(folder)
