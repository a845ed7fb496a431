"""One engine factory. A writer serialises where it must; a reader never takes a write lock.

SQLite: WAL, `synchronous=FULL`, BEGIN IMMEDIATE for writers (SQLAlchemy's default lets a reader upgrade in the
middle of a transaction, which loses updates), a read engine with `query_only`. PostgreSQL: writers are READ COMMITTED
and lock the rows and names that they decide on; readers are REPEATABLE READ READ ONLY, one snapshot as on SQLite.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.domain.hooks import reach
from gateway.store.failures import explained
from gateway.store.limits import OPTIONS, take_time
from gateway.store.turns import take_turn

BUSY_TIMEOUT_S = 20
ENOUGH: dict[str, Any] = {"pool_size": 20, "max_overflow": 60}
"""Connections to SQLite: more than there are associations, or a worker's threads, at once by default."""
_LOOK_AGAIN_S = 0.02
_AFTERWARDS = "consilium.afterwards"
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,  # ms
    "options": OPTIONS,
}
"""A server that vanished without a word is given up after 30 s, not after the quarter of an hour of the kernel.

https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-KEEPALIVES
"""


class Database:
    """Two ways in: `write(name)` is one transaction that commits at the end, `read()` a consistent snapshot."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer = _sqlite_engine(url, begin="BEGIN IMMEDIATE", is_query_only=False)
            self._reader = _sqlite_engine(url, begin="BEGIN", is_query_only=True)
        else:
            self._writer = _postgresql_engine(self.url)
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.driver_error: type[Exception] = self._writer.dialect.loaded_dbapi.Error
        self._first: Callable[[Connection], None] | None = None

    def begin_with(self, first: Callable[[Connection], None]) -> None:
        """Have `first` run in the first transaction that this process writes, before anything else of it.

        It runs again in the next one until it was committed. What it raises keeps the process from writing anything.
        """
        self._first = first

    @contextmanager
    def write(self, name: str) -> Iterator[Connection]:
        """One transaction; `name` names its hooks (`<name>.before_commit`, `<name>.after_commit`).

        Raises Transient when the database is busy or away, Full when its disk is, and Unprocessable for a value that
        its column cannot hold; nothing was committed then. But where the connection to PostgreSQL is lost in the COMMIT
        itself, which is Transient too, nobody can say whether it was.
        """
        with _translated(self.url), self._writer.connect() as connection:
            with connection.begin():
                connection.info.pop(_AFTERWARDS, None)  # of a transaction that was rolled back
                first = self._first
                if first is not None:
                    first(connection)
                yield connection
                reach(f"{name}.before_commit")
                calls = connection.info.pop(_AFTERWARDS, {})
            if first is not None:
                self._first = None
            reach(f"{name}.after_commit")
            for call in calls:
                call(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A snapshot for queries only. Raises Transient when the database is busy or away."""
        with _translated(self.url), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Hold a name against every other process until the block ends; nothing is written. Raises Transient.

        On SQLite every writer waits, so the block is short. On PostgreSQL it may last: a large blob is written anew.
        """
        with _translated(self.url), self._writer.connect() as connection, connection.begin():
            take_time(connection)
            take_turn(connection, name)
            yield

    @contextmanager
    def aside(self) -> Iterator[Any]:
        """A connection of the driver's own, in no transaction, which nobody else gets. Raises Transient."""
        with _translated(self.url), self._writer.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").detach()
            yield connection.connection.dbapi_connection

    def failure(self, exc: Any, driver: Any) -> Exception:
        """What to raise for a `driver_error` of an `aside` connection: Transient when the database is busy or away."""
        is_lost, error = self._writer.dialect.is_disconnect(exc, driver, None), self.driver_error
        wrapped = cast(DBAPIError, DBAPIError.instance(None, None, exc, error, connection_invalidated=is_lost))
        return explained(self.url, wrapped) or wrapped

    def dispose(self) -> None:
        """Close every pooled connection (before a fork, at the end)."""
        self._writer.dispose()
        self._reader.dispose()


def afterwards(connection: Connection, call: Callable[[Connection], None]) -> None:
    """Have it called once, with the same connection, when this transaction of `Database.write` has been committed.

    It must raise nothing: what was committed stands, also where the process ends before the call.
    """
    connection.info.setdefault(_AFTERWARDS, {})[call] = None


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout) as exc:
        failure = explained(url, exc)
        if failure is None:
            raise
        raise failure from exc


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(
        url,
        connect_args={name: value for name, value in _PATIENCE.items() if name not in url.query},
        pool_pre_ping=True,
        pool_size=20,
        max_overflow=20,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )


def _sqlite_engine(url: str, *, begin: str, is_query_only: bool) -> Engine:
    path = make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True, **ENOUGH)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite must not begin transactions of its own
        cursor = connection.cursor()
        _write_ahead(cursor)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"query_only={int(is_query_only)}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Have the file in WAL mode, which only its first connection has to ask for.

    The change needs the file for itself. Beside a writer SQLite refuses it at once, whatever the busy time-out.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            is_busy = exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # https://sqlite.org/rescode.html#extrc
            if not is_busy or time.monotonic() > give_up_at:
                raise
            time.sleep(_LOOK_AGAIN_S)
