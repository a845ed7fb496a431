"""What a failed transaction or a killed process left on the disk is removed, once nobody can come back for it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from gateway.services.core import Core
from gateway.store import destructions
from gateway.store.blob_references import referenced, referenced_among
from gateway.store.disk import disk_errors
from gateway.store.leftovers import remove_leftovers

_AT_ONCE = 500


@dataclass(frozen=True)
class Swept:
    """How many files went: blobs that no row refers to, blobs that never became whole, objects never promised."""

    blobs: int
    partial_blobs: int
    spool_files: int


def sweep(core: Core, spool_folder: Path, *, min_age: timedelta) -> Swept:
    """Remove every leftover that is older than `min_age`, which is longer than any transaction and its preparation.

    Why no blob goes that a row will refer to: who refers to it renews its age first and commits within `min_age`. So
    a blob whose age began before `before_s` was either referred to when the reading below began, or never will be
    without being renewed, and the last look at its age and its removal are one step to whoever renews.
    """
    before_s = (core.now() - min_age).timestamp()
    return Swept(
        blobs=sum(_remove(core, some, before_s) for some in _batches(_unreferenced(core, spool_folder))),
        partial_blobs=core.blobs.remove_partial(before_s=before_s),
        spool_files=remove_leftovers(spool_folder, before_s=before_s),
    )


def _unreferenced(core: Core, folder: Path) -> Iterator[str]:
    """Blobs that no row seems to refer to.

    None in a database that refers to none and has destroyed none: it is hardly the one of these blobs. What the rows
    refer to is noted in a file first, since nobody keeps a snapshot open while blobs are listed and removed.
    """
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
        file = TemporaryFile("w+", encoding="ascii", dir=folder)  # noqa: SIM115 - closed below
    with file:
        if _is_any_noted(core, file):
            file.seek(0)
            yield from _missing(core.blobs.digests(), (line.rstrip() for line in file))


def _is_any_noted(core: Core, file: TextIO) -> bool:
    """Write down the references in their order; False where there are none, and nothing was ever destroyed."""
    with core.database.read() as connection, disk_errors():
        file.writelines(f"{digest}\n" for digest in referenced(connection))
        return file.tell() > 0 or destructions.is_any(connection)


def _missing(present: Iterable[str], kept: Iterator[str]) -> Iterator[str]:
    """Merge two ordered lists: what is in `present` and not in the other."""
    current = next(kept, None)
    for digest in present:
        while current is not None and current < digest:
            current = next(kept, None)
        if digest != current:
            yield digest


def _batches(digests: Iterator[str]) -> Iterator[list[str]]:
    while some := list(islice(digests, _AT_ONCE)):
        yield some


def _remove(core: Core, digests: list[str], before_s: float) -> int:
    """Look again, since the database may order text otherwise than Python; then at the age of what is left."""
    with core.database.read() as connection:
        orphans = set(digests) - referenced_among(connection, digests)
    return sum(core.blobs.remove_stale(digest, before_s=before_s) for digest in sorted(orphans))
