"""One query that is asked again and again, by a connection that is held meanwhile."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import cache, partial
from typing import Any, TypeVar

from sqlalchemy import URL, Select

from gateway.domain.errors import Transient
from gateway.store.engine import Database

T = TypeVar("T")

_NAME = b"held"
_TRUE = b"t"
_Answer = tuple[bool, ...]
_Wait = Callable[[], _Answer]
_Ask = Callable[[Sequence[str]], _Wait]


class HeldQuery:
    """A query of one row of truths about texts, for the time in which it is asked before every step of something.

    Each asking is one round trip and a statement of its own, in no transaction: it sees everything that was committed
    before it began, by whatever process. Nothing but the connection is kept between two of them, no answer and no
    snapshot. Where a connection that worked before fails, a new one is asked once more; then it raises.

    On PostgreSQL whoever asks may do something else until they wait for the answer; on SQLite there is nobody who would
    work meanwhile, and it is asked when it is waited for.
    """

    def __init__(self, database: Database, query: Select[*tuple[Any, ...]]) -> None:
        self._database = database
        self._sql, self._names = _spelt(query, database.url.drivername)
        self._held = ExitStack()
        self._ask: _Ask | None = None
        self._under_way: _Wait | None = None

    def ask(self, **about: str) -> _Wait:
        """Ask, and give what waits for the answer: as the database has it now, or has it then.

        It is waited for once, and before the next question; what nobody waited for answers nothing else. Either raises
        as `Database.read`.
        """
        self._pass_over()
        texts = [about[name] for name in self._names]
        has_worked = self._ask is not None
        try:
            under_way = (self._ask or self._opened())(texts)
        except Transient:
            if not has_worked:
                raise
            self.close()
            has_worked, under_way = False, self._opened()(texts)

        def wait() -> _Answer:
            if self._under_way is not under_way:
                raise RuntimeError("this answer was waited for before, or another question was asked since")
            self._under_way = None
            try:
                return under_way()
            except Transient:
                self.close()
                if not has_worked:
                    raise
            return self._opened()(texts)()

        self._under_way = under_way
        return wait

    def close(self) -> None:
        """Let go of the connection; the next asking opens another one."""
        self._pass_over()
        self._ask = None
        self._held.close()

    def _pass_over(self) -> None:
        """Take the answer that nobody waited for off the connection, which carries one at a time."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            with suppress(Transient):
                under_way()

    def _opened(self) -> _Ask:
        database = self._database
        driver, error = self._held.enter_context(database.aside()), database.driver_error
        try:
            ask = _asked_of_sqlite(driver, self._sql) if database.is_sqlite else _prepared(driver, self._sql)
        except error as exc:
            self.close()
            raise database.failure(exc, driver) from exc

        def explained(work: Callable[[], T]) -> T:
            try:
                return work()
            except error as exc:
                raise database.failure(exc, driver) from exc

        def asked(texts: Sequence[str]) -> _Wait:
            return partial(explained, explained(partial(ask, texts)))

        self._ask = asked
        return asked


@cache
def _spelt(query: Select[*tuple[Any, ...]], driver: str) -> tuple[str, tuple[str, ...]]:
    """The query with marks or numbers in the place of its parameters, and their names in order."""
    dialect = URL.create(driver).get_dialect()
    style = "qmark" if dialect.name == "sqlite" else "numeric_dollar"
    compiled = query.compile(dialect=dialect(paramstyle=style))  # type: ignore[call-arg]  # any dialect takes it
    return str(compiled), tuple(compiled.positiontup or ())


def _asked_of_sqlite(driver: Any, sql: str) -> _Ask:
    execute = driver.cursor().execute

    def wait(texts: Sequence[str]) -> _Answer:
        [row] = execute(sql, texts)  # read to its end: a statement in its middle keeps its snapshot
        return tuple([bool(value) for value in row])

    return lambda texts: partial(wait, texts)


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

    def wait() -> _Answer:
        result = connection.get_result()
        while connection.get_result() is not None:  # none: it is ready for the next question
            pass
        if result is None or result.status != has_answered:
            raise OperationalError("the connection is lost") if result is None else failure(result)
        return tuple([result.get_value(0, column) == _TRUE for column in range(result.nfields)])

    def ask(texts: Sequence[str]) -> _Wait:
        connection.send_query_prepared(_NAME, [text.encode() for text in texts])
        return wait

    return ask
