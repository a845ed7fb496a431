"""Taking turns: one transaction at a time under a name, until it ends."""

import hashlib

from sqlalchemy import Connection, bindparam, func, select

_WAIT = select(func.pg_advisory_xact_lock(bindparam("number")))


def take_turn(connection: Connection, name: str) -> None:
    """Wait for every other transaction under that name; the statements that follow see what it committed.

    PostgreSQL keeps the lock until the transaction ends (https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS).
    SQLite needs none: its writers take turns anyway.
    """
    if connection.dialect.name == "postgresql":
        digest = hashlib.sha256(name.encode()).digest()
        connection.execute(_WAIT, {"number": int.from_bytes(digest[:8], signed=True)})
