"""The disk below the stores: its reserve, its refusals, and renames that outlive a power cut."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.domain.errors import Full, Transient

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))


def require_room(folder: Path, size_bytes: int, *, reserve_bytes: int) -> None:
    """Raise Full when storing this much on the disk of `folder` would leave less than the reserve."""
    with disk_errors():
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes - size_bytes < reserve_bytes:
        raise Full("the disk of the blob store is at its reserve; nothing was accepted")


@contextmanager
def disk_errors(of: str = "the blob store") -> Iterator[None]:
    """What the operating system refuses becomes Full or Transient; the sentence says `of` what."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _NO_ROOM:
            raise Full(f"the disk of {of} is full; nothing was accepted") from exc
        raise Transient(f"{of} cannot be used ({exc.strerror}); look at its disk and its rights") from exc


def sync(path: Path) -> None:
    """Make what a file holds, or renames inside a folder, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
