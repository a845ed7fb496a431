"""What somebody with rights on the database can do to the audit trail: first the guards go, and on SQLite the keys."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from gateway.store.engine import Database

_GUARDED = ("audit", "audit_seal")
_CHANGES = ("update", "delete", "replace")


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """A transaction in which the trail can be changed; rows may go that others refer to."""
    with database.write("test") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        drop_guards(connection)
        yield connection


def guards(database: Database) -> set[str]:
    """The triggers that are there."""
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    with database.read() as connection:
        if not database.is_sqlite:
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        return set(connection.execute(text(query)).scalars())


def all_guards(database: Database) -> set[str]:
    """Those that a database of this version has."""
    names = [f"no_{change}" for change in _CHANGES] if database.is_sqlite else ["only_grows"]
    return {f"{table}_{name}" for table in _GUARDED for name in names}


def drop_guards(connection: Connection) -> None:
    """The triggers and foreign keys that keep the trail from being changed."""
    if connection.dialect.name == "sqlite":
        for table in _GUARDED:
            for change in _CHANGES:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{change}"))
        return
    for table in _GUARDED:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_only_grows ON {table}"))
    for table in ("audit_seal", "audit_tail"):
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS fk_{table}_audit_id"))
