"""What somebody with rights on the database can do to the audit trail: first the guards go, and on SQLite the keys."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from gateway.store.engine import Database

_GUARDED = ("audit", "audit_seal")


@contextmanager
def tampering(database: Database) -> Iterator[Connection]:
    """A transaction in which the trail can be changed; rows may go that others refer to."""
    with database.write("test") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        drop_guards(connection)
        yield connection


def drop_guards(connection: Connection) -> None:
    """The triggers and foreign keys that keep the trail from being changed."""
    if connection.dialect.name == "sqlite":
        for table in _GUARDED:
            for change in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{change}"))
        return
    for table in _GUARDED:
        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_only_grows ON {table}"))
    for table in ("audit_seal", "audit_tail"):
        connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS fk_{table}_audit_id"))
