"""Word of new work between processes, so that a worker need not wait for its next poll.

Word may be lost, or be about something else: the poll finds everything all the same.
"""

import threading
from collections.abc import Iterator
from typing import Any

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.engine import Database, afterwards

_log = structlog.get_logger()
_CHANNEL = "outbox"
_TELL = select(func.pg_notify(_CHANNEL, ""))
_LOOK_EVERY_S = 0.05
"""How often SQLite is asked whether anybody committed; it looks into memory that the processes share."""
_LISTEN_S = 1.0


def tell(connection: Connection) -> None:
    """There is work for now; whoever listens hears of it once the transaction has been committed.

    A file of SQLite shows each commit by itself.
    """
    if connection.dialect.name == "postgresql":
        afterwards(connection, _notify)


def _notify(connection: Connection) -> None:
    """In a statement of its own: a transaction that notifies keeps all others that do from committing beside it.

    https://www.postgresql.org/docs/15/sql-notify.html. What was committed stands, whatever becomes of the word.
    """
    try:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(_TELL)
    except SQLAlchemyError as exc:
        _log.warning("news.untold", error=type(exc).__name__)


def heard(database: Database, ended: threading.Event) -> Iterator[None]:
    """Once at the beginning, and then whenever there may be new work, until `ended`.

    Holds a connection. Raises what its driver does when that is lost, and Transient where there is none to be had.
    """
    with database.aside() as driver:
        yield from _commits(driver, ended) if database.is_sqlite else _notices(driver, ended)


def _commits(driver: Any, ended: threading.Event) -> Iterator[None]:
    """Any commit by another connection changes the number (https://sqlite.org/pragma.html#pragma_data_version)."""
    seen = None
    while not ended.is_set():
        version = driver.execute("PRAGMA data_version").fetchone()
        if version != seen:
            seen = version
            yield
        ended.wait(_LOOK_EVERY_S)


def _notices(driver: Any, ended: threading.Event) -> Iterator[None]:
    driver.execute(f"LISTEN {_CHANNEL}")
    yield
    while not ended.is_set():
        for _ in driver.notifies(timeout=_LISTEN_S):
            yield
