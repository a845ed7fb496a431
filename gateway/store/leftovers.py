"""Files that a process left behind when it died."""

from pathlib import Path

LOCK = "lock"
"""Name of the files by which a process says that a folder is its own."""


def remove_leftovers(folder: Path, *, before: float) -> int:
    """Remove the files below `folder` that nobody has written to since `before`; gives how many. Locks stay.

    `before` is a time in seconds since the epoch. A file that grows is never so old.
    """
    files = [path for path in folder.rglob("*") if path.name != LOCK and path.is_file()]
    return sum(_is_removed(path, before) for path in files)


def _is_removed(path: Path, before: float) -> bool:
    try:
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    except FileNotFoundError:  # its owner was faster
        return False
    return True
