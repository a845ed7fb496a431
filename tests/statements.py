"""What the code asks of the database, to tell how often it does and inside which transactions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event


@dataclass(frozen=True)
class Statement:
    """As the driver got it."""

    sql: str
    parameters: Any


@contextmanager
def executed() -> Iterator[list[Statement]]:
    """The statements that every engine of this process executes meanwhile, in order."""
    statements: list[Statement] = []

    def remember(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool) -> None:
        statements.append(Statement(" ".join(sql.split()), parameters))

    event.listen(Engine, "before_cursor_execute", remember)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", remember)


def under_the_write_lock(statements: Sequence[Statement]) -> list[str]:
    """Those between a BEGIN IMMEDIATE of SQLite and the next BEGIN."""
    inside, found = False, []
    for one in statements:
        if one.sql.startswith("BEGIN"):
            inside = one.sql == "BEGIN IMMEDIATE"
        elif inside:
            found.append(one.sql)
    return found
