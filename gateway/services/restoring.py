"""A backup becomes a gateway again: into an empty one only, and all of it or nothing.

What happened after the backup is not known any more. So each case gets an audit row that says so, and whatever is sent
for it from then on is looked for at its destination first (`gateway.services.delivery`). And nothing is sent before a
person has said, clinic by clinic, that consents revoked since are known again (`gateway.services.restore_hold`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, inspect, literal, select, table

from gateway.domain.blobs import Blobs
from gateway.domain.errors import Conflict, Invalid, Permanent
from gateway.services import one_key
from gateway.services.backing_up import Advance, verify
from gateway.services.one_store import new_mark, refusal
from gateway.store import audit, audit_chain, installation, numbers, parties, sessions
from gateway.store.backups import Backup, copy_blob
from gateway.store.engine import Database
from gateway.store.keys import fingerprint_of, place_key
from gateway.store.limits import take_time
from gateway.store.portable import load_table, read_table
from gateway.store.readiness import applied_revision, newest_revision
from gateway.store.schema import upgrade_within
from gateway.store.tables import case
from gateway.store.tables import installation as installation_table

_VERSION_TABLE = "alembic_version"


@dataclass(frozen=True)
class Target:
    """The empty gateway. `spool_folder` is on the file system of a blob directory."""

    database: Database
    blobs: Blobs
    spool_folder: Path
    key_path: Path
    now: Callable[[], datetime]


def restore(backup: Backup, target: Target, *, actor: str, advance: Advance) -> None:
    """Verify everything, then bring it back; `advance` hears of each blob twice.

    Raises Conflict when the gateway is not empty or its blob store another installation's, Invalid when the backup is
    damaged or of a later version, Transient and Full when it cannot be written; the database is empty then as before,
    and it can be tried again. Where the connection to PostgreSQL is lost in the COMMIT itself all of it may be there:
    the next try says so by Conflict.
    """
    if backup.manifest.revision > newest_revision():
        raise Invalid(f"the backup is of revision {backup.manifest.revision}; restore it with the version that made it")
    with target.database.read() as connection:
        _require_empty(connection, backup)
    verify(backup, advance)
    _require_own_store(target.blobs.identity(), backup)
    place_key(target.key_path, backup.key())
    mark = target.blobs.mark(new_mark(fingerprint_of(backup.key())))
    _require_own_store(mark, backup)
    source = backup.blobs
    for digest in backup.digests():
        copy_blob(source, digest, target.blobs, by_way_of=target.spool_folder / "restore")
        advance(1)
    with target.database.write("backup.restored") as connection:
        take_time(connection)
        _require_empty(connection, backup)
        upgrade_within(connection, backup.manifest.revision)
        for one in backup.manifest.tables:
            load_table(connection, one, backup.table(one.name))
        upgrade_within(connection)
        numbers.go_on(connection)
        _require_whole_trail(connection)
        _require_its_key(connection, backup, target)
        installation.record_blob_store(connection, mark)
        parties.set_restored(connection, target.now())
        sessions.end_everybodys(connection)
        _record(connection, backup, actor, target.now())


def _require_empty(connection: Connection, backup: Backup) -> None:
    for name in inspect(connection).get_table_names():
        if name != _VERSION_TABLE and connection.execute(select(literal(1)).select_from(table(name)).limit(1)).first():
            raise Conflict(f"the gateway is not empty: {name} has rows; name an empty database in the settings")
    revision = applied_revision(connection)
    if revision not in ("", backup.manifest.revision):
        raise Conflict(
            f"the empty database is at revision {revision} and the backup at {backup.manifest.revision}; "
            "name a database without any tables"
        )


def _require_own_store(mark: str, backup: Backup) -> None:
    """No mark, or that of the installation whose backup it is: another one's sweeper would remove what is copied."""
    own, known = fingerprint_of(backup.key()), _known_mark(backup)
    if found := refusal(mark, key_fingerprint=own, where="what [blobs] and data_dir name", known=known):
        raise Conflict(found)


def _known_mark(backup: Backup) -> str | None:
    """The mark that the database in the backup knows; None where it has none, or is of a version without."""
    for one in backup.manifest.tables:
        if one.name == installation_table.name:
            names = [name for name, _ in one.columns]
            for row in read_table(one, backup.table(one.name)):
                return cast("str | None", row[names.index(installation_table.c.blob_store.name)])
    return None


def _require_whole_trail(connection: Connection) -> None:
    found = audit_chain.verify(connection)
    if found.broken_at is not None:
        raise Invalid(f"the audit trail of the backup is broken at row {found.broken_at}; nothing was restored")


def _require_its_key(connection: Connection, backup: Backup, target: Target) -> None:
    """The key in the backup is that of its database, which records it where an earlier version did not."""
    try:
        one_key.confirm(connection, backup.key(), target.key_path, now=target.now())
    except Permanent as exc:
        raise Invalid(f"the key in the backup is not the one that its database was used with: {exc}") from exc


def _record(connection: Connection, backup: Backup, actor: str, now: datetime) -> None:
    details = {"made_at": backup.manifest.made_at.isoformat()}
    subject = f"backup/{backup.folder.name}"
    audit.record(connection, at=now, actor=actor, action="backup.restored", subject=subject, details=details)
    for case_id in connection.execute(select(case.c.id)).scalars().all():
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=audit.CASE_RESTORED,
            case_id=case_id,
            subject=subject,
            details=details,
        )
