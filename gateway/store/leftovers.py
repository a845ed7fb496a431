"""Files that a process left behind when it died."""

from pathlib import Path

LOCK = "lock"
"""Name of the files by which a process says that a folder is its own."""


def remove_leftovers(folder: Path, *, before_s: float) -> int:
    """Remove the files below `folder` that nobody has written to since `before_s`; gives how many. Locks stay.

    `before_s` is in seconds since the epoch. A file that grows is never so old.
    """
    files = [path for path in folder.rglob("*") if path.name != LOCK and path.is_file()]
    return sum(_is_removed(path, before_s) for path in files)


def _is_removed(path: Path, before_s: float) -> bool:
    try:
        if path.stat().st_mtime >= before_s:
            return False
        path.unlink()
    except FileNotFoundError:  # its owner was faster
        return False
    return True
