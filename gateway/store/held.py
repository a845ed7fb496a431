"""One query that is asked again and again, by a connection that is held meanwhile."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

from sqlalchemy import URL, Select

from gateway.domain.errors import Transient
from gateway.store.engine import Database

_NAME = b"held"
_TRUE = b"t"
_Answer = tuple[bool, ...]
_Ask = Callable[[Sequence[str]], _Answer]


class HeldQuery:
    """A query of one row of truths about texts, for the time in which it is asked before every step of something.

    Each asking is one round trip and a statement of its own, in no transaction: it sees everything that was committed
    before it began, by whatever process. Nothing but the connection is kept between two of them, no answer and no
    snapshot. Where a connection that worked before fails, a new one is asked once more; then it raises.
    """

    def __init__(self, database: Database, query: Select[*tuple[Any, ...]]) -> None:
        self._database = database
        self._sql, self._names = _spelt(query, database.url.drivername)
        self._held = ExitStack()
        self._ask: _Ask | None = None

    def answer(self, **about: str) -> _Answer:
        """As the database has it now. Raises as `Database.read`."""
        texts = [about[name] for name in self._names]
        if self._ask is not None:
            try:
                return self._ask(texts)
            except Transient:
                self.close()
        return self._opened()(texts)

    def close(self) -> None:
        """Let go of the connection; the next asking opens another one."""
        self._ask = None
        self._held.close()

    def _opened(self) -> _Ask:
        database = self._database
        driver, error = self._held.enter_context(database.aside()), database.driver_error
        try:
            ask = _asked_of_sqlite(driver, self._sql) if database.is_sqlite else _prepared(driver, self._sql)
        except error as exc:
            self.close()
            raise database.failure(exc, driver) from exc

        def explained(texts: Sequence[str]) -> _Answer:
            try:
                return ask(texts)
            except error as exc:
                raise database.failure(exc, driver) from exc

        self._ask = explained
        return explained


@cache
def _spelt(query: Select[*tuple[Any, ...]], driver: str) -> tuple[str, tuple[str, ...]]:
    """The query with marks or numbers in the place of its parameters, and their names in order."""
    dialect = URL.create(driver).get_dialect()
    style = "qmark" if dialect.name == "sqlite" else "numeric_dollar"
    compiled = query.compile(dialect=dialect(paramstyle=style))  # type: ignore[call-arg]  # any dialect takes it
    return str(compiled), tuple(compiled.positiontup or ())


def _asked_of_sqlite(driver: Any, sql: str) -> _Ask:
    execute = driver.cursor().execute

    def ask(texts: Sequence[str]) -> _Answer:
        [row] = execute(sql, texts)  # read to its end: a statement in its middle keeps its snapshot
        return tuple([bool(value) for value in row])

    return ask


def _prepared(driver: Any, sql: str) -> _Ask:
    """Straight to libpq, which takes a third of the time of the driver's cursors.

    https://www.psycopg.org/psycopg3/docs/api/pq.html; https://www.postgresql.org/docs/15/libpq-exec.html
    """
    from psycopg import OperationalError, errors, pq

    connection, has_answered = driver.pgconn, int(pq.ExecStatus.TUPLES_OK)

    def failure(result: pq.abc.PGresult) -> Exception:
        return OperationalError("the connection is lost") if driver.closed else errors.error_from_result(result)

    prepared = connection.prepare(_NAME, sql.encode())
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        raise failure(prepared)

    def ask(texts: Sequence[str]) -> _Answer:
        result = connection.exec_prepared(_NAME, [text.encode() for text in texts])
        if result.status != has_answered:
            raise failure(result)
        return tuple([result.get_value(0, column) == _TRUE for column in range(result.nfields)])

    return ask
