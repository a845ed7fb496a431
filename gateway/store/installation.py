"""The one row that says which pseudonym key and which blob store this installation has."""

from datetime import datetime

from sqlalchemy import Connection, insert, inspect, select, update

from gateway.domain.errors import Transient
from gateway.store.engine import Database
from gateway.store.tables import installation
from gateway.store.turns import take_turn

_THE_ROW = "gateway"


def is_there(connection: Connection) -> bool:
    """Whether the database is of a version that records it."""
    return inspect(connection).has_table(installation.name)


def fingerprint(connection: Connection) -> str | None:
    """Of the key; None while nobody has recorded one."""
    return connection.execute(select(installation.c.key_fingerprint)).scalar()


def known_fingerprint(database: Database) -> str | None:
    """The same, and None as well for a database that does not answer or is of an earlier version."""
    try:
        with database.read() as connection:
            return fingerprint(connection) if is_there(connection) else None
    except Transient:
        return None


def take_turn_to_record(connection: Connection) -> None:
    """Before looking whether another program has recorded it meanwhile."""
    take_turn(connection, "installation")


def record_fingerprint(connection: Connection, value: str, *, now: datetime) -> None:
    """Once, in the turn of whoever found none."""
    connection.execute(insert(installation).values(id=_THE_ROW, key_fingerprint=value, recorded_at=now))


def blob_store(connection: Connection) -> str | None:
    """The mark of its blob store; None while nobody has recorded one."""
    return connection.execute(select(installation.c.blob_store)).scalar()


def record_blob_store(connection: Connection, mark: str) -> None:
    """Whoever records it has recorded the key, or found it recorded, earlier in this transaction."""
    connection.execute(update(installation).values(blob_store=mark))
