"""How a database plans what it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_SHOWN_CHARACTERS = 100


@contextmanager
def planned() -> Iterator[list[str]]:
    """Fills the list with the plan of each SELECT and UPDATE that is executed meanwhile."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if many or not statement.startswith(("SELECT", "UPDATE", "WITH")):
            return
        prefix = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        cursor.execute(prefix + statement, parameters)
        lines = [str(row[-1]) for row in cursor.fetchall()]
        plans.append("\n      ".join([" ".join(statement.split())[:_SHOWN_CHARACTERS], *lines]))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
