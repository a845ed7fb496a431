"""A backup while the gateway runs: one snapshot of the database, every blob it refers to, and the pseudonym key."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.errors import Gone, Invalid, NotFound, Permanent, Transient
from gateway.services.core import Core
from gateway.store import audit, backups
from gateway.store.backups import Backup, Manifest, copy_blob, finish, table_file, unfinished
from gateway.store.blob_references import referenced, referenced_among
from gateway.store.blobs import BlobDirectory
from gateway.store.limits import take_time
from gateway.store.portable import read_table, write_table
from gateway.store.readiness import applied_revision, newest_revision
from gateway.store.tables import metadata

_MOST_SNAPSHOTS = 5
Advance = Callable[[int], None]
Watch = Callable[[int], AbstractContextManager[Advance]]
"""Given a total, what hears of each part that is done while the block runs."""


@dataclass(frozen=True)
class Made:
    """A finished backup, and how many of its blobs were not in the folder before."""

    backup: Backup
    copied_blobs: int


def create(core: Core, folder: Path, *, software: str, actor: str, watch: Watch) -> Made:
    """Write a backup below `folder`; blobs that an earlier one put there are not copied again.

    `watch` is told how many blobs there are, and what it gives hears of each. A blob that was destroyed before it was
    copied makes the backup begin anew. Nothing that looks like a backup is left when this raises: Transient, Full,
    Conflict, or Permanent for a blob that is missing.
    """
    for _ in range(_MOST_SNAPSHOTS):
        try:
            with unfinished(folder) as written:
                manifest = _written(core, written, software)
                copied = _with_blobs(core, written, watch)
                made = Made(finish(written, manifest), copied)
        except Gone:
            continue
        _record(core, made.backup, actor)
        return made
    raise Transient("data are being destroyed faster than they can be copied; try again later")


def verify(backup: Backup, advance: Advance) -> None:
    """Read everything that the backup consists of. Raises Invalid for what is missing or damaged."""
    for one in backup.manifest.tables:
        for _ in read_table(one, backup.table(one.name)):
            pass
    backup.key()
    blobs, digests = backup.blobs, backup.digests()
    if len(digests) != backup.manifest.blobs:
        raise Invalid("the backup's list of blobs has another length than its manifest says")
    for digest in digests:
        try:
            for _ in blobs.stream(digest):
                pass
        except (NotFound, Transient) as exc:
            raise Invalid(f"blob {digest[:12]} of the backup is missing or damaged") from exc
        advance(1)


def _written(core: Core, written: Path, software: str) -> Manifest:
    """Everything but the blobs, as one snapshot has it."""
    with core.database.read() as connection:
        take_time(connection)
        revision = applied_revision(connection)
        if revision != newest_revision():
            raise Permanent(f"the database is at revision {revision}; use the version of the gateway that upgraded it")
        made_at = core.now()
        tables = [write_table(connection, one, table_file(written, one.name)) for one in metadata.sorted_tables]
        count, digest = backups.write_blob_list(written, referenced(connection))
    key_sha256 = backups.write_key(written, core.pseudonym_key)
    return Manifest(made_at, software, revision, tuple(tables), count, digest, key_sha256)


def _with_blobs(core: Core, written: Path, watch: Watch) -> int:
    """Copy what is not there yet; gives how many."""
    target = BlobDirectory(written.parent / "blobs")
    digests = (written / backups.BLOB_LIST).read_text(encoding="ascii").split()
    copied = 0
    with watch(len(digests)) as advance:
        for digest in digests:
            if not target.path(digest).exists():
                _copy(core, digest, target)
                copied += 1
            advance(1)
    return copied


def _copy(core: Core, digest: str, target: BlobDirectory) -> None:
    try:
        copy_blob(core.blobs, digest, target, by_way_of=target.partial_folder)
    except NotFound as exc:
        with core.database.read() as connection:
            is_wanted = bool(referenced_among(connection, [digest]))
        if is_wanted:
            raise Permanent(f"blob {digest[:12]} is missing from the store, though a row refers to it") from exc
        raise Gone(f"blob {digest[:12]} was destroyed before it was copied, as it should have been") from exc


def _record(core: Core, backup: Backup, actor: str) -> None:
    with core.database.write("backup.created") as connection:
        details = {"blobs": backup.manifest.blobs, "rows": sum(one.rows for one in backup.manifest.tables)}
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="backup.created",
            subject=f"backup/{backup.folder.name}",
            details=details,
        )
