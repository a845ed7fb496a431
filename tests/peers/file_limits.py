"""A disk that takes no more, for the processes of one group: a write ends in the middle, and the next one fails."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

NO_LIMIT = resource.RLIM_INFINITY


def limit_files(group_id: int, size_bytes: int = NO_LIMIT) -> None:
    """From now on no file of that process group grows beyond this: a write ends there, the next fails (setrlimit(2)).

    The error is EFBIG. What is longer already can be read and not written.
    """
    for process_id in _members(group_id):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process_id, resource.RLIMIT_FSIZE, (size_bytes, NO_LIMIT))


def _members(group_id: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(int(entry.name)) == group_id:
                yield int(entry.name)
