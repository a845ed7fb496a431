"""Rows that somebody may have changed by hand: what cannot be read is told by its key, and the rest is read."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select
from sqlalchemy.exc import DataError, OperationalError

AT_ONCE = 1000
_UNDECODABLE = "Could not decode to UTF-8"
"""What sqlite3 says of a text that is none; its class of errors is that of an outage."""
_OF_VALUES = (ArithmeticError, AttributeError, DataError, RecursionError, TypeError, ValueError)


def every_row(
    connection: Connection, query: Select[Any], key: ColumnElement[int]
) -> Iterator[tuple[int, Row[Any] | None]]:
    """Each row of the query with its `key`, in the order of it; None for a row that cannot be read.

    The key is a column of the query, and unique. Rows are fetched a thousand at once, and one by one only around one
    that cannot be read.
    """
    place = next(number for number, column in enumerate(query.selected_columns) if column is key)
    after: int | None = None
    while True:
        try:
            for row in _stream(connection, query, key, after):
                after = row[place]
                yield after, row
            return
        except (*_OF_VALUES, OperationalError) as exc:
            keys = _next_keys(connection, query, key, after) if _is_of_a_value(exc) else []
            if not keys:
                raise
        for after in keys:
            yield after, _read_alone(connection, query, key, after)


def one_value(connection: Connection, query: Select[Any]) -> Any:
    """The one value that the query asks for; None where it cannot be read, or is not there."""
    try:
        return connection.execute(query).scalar()
    except (*_OF_VALUES, OperationalError) as exc:
        if not _is_of_a_value(exc):
            raise
        return None


def _stream(
    connection: Connection, query: Select[Any], key: ColumnElement[int], after: int | None
) -> Iterator[Row[Any]]:
    """The rows behind that key; PostgreSQL holds a cursor till the last of them."""
    ordered = _behind(query, key, after).order_by(key).execution_options(yield_per=AT_ONCE)
    with connection.execute(ordered) as rows:
        yield from rows


def _next_keys(connection: Connection, query: Select[Any], key: ColumnElement[int], after: int | None) -> list[int]:
    keys = _behind(query, key, after).with_only_columns(key, maintain_column_froms=True)
    return list(connection.execute(keys.order_by(key).limit(AT_ONCE)).scalars())


def _behind(query: Select[Any], key: ColumnElement[int], after: int | None) -> Select[Any]:
    return query if after is None else query.where(key > after)


def _read_alone(connection: Connection, query: Select[Any], key: ColumnElement[int], at: int) -> Row[Any] | None:
    try:
        return connection.execute(query.where(key == at)).one()
    except (*_OF_VALUES, OperationalError) as exc:
        if not _is_of_a_value(exc):
            raise
        return None


def _is_of_a_value(exc: Exception) -> bool:
    """Whether the value is at fault, and not the database."""
    return not isinstance(exc, OperationalError) or _UNDECODABLE in str(exc.orig)
