"""Tables as files that any of the databases can read: one JSON array a line, gzip-compressed, one file a table.

A column has a kind, so that a file can be loaded without knowing the tables of the version that wrote it: `instant` and
`date` are ISO 8601, `bytes` are Base64, `json` stands as it is, `plain` is text, a number or a truth value.
"""

import gzip
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Connection, Date, LargeBinary, Table, column, insert, select, table
from sqlalchemy.types import NullType, TypeEngine

from gateway.domain.errors import Invalid
from gateway.store.tables import Instant

_ROWS_AT_ONCE = 500
_LEVEL = 3
_TYPES: dict[str, TypeEngine[Any]] = {
    "instant": Instant(),
    "date": Date(),
    "bytes": LargeBinary(),
    "json": JSON(none_as_null=True),
    "plain": NullType(),
}
_WRITTEN: dict[str, Callable[[Any], Any]] = {
    "instant": datetime.isoformat,
    "date": date.isoformat,
    "bytes": lambda value: b64encode(value).decode(),
    "json": lambda value: value,
    "plain": lambda value: value,
}
_READ: dict[str, Callable[[Any], Any]] = {
    "instant": datetime.fromisoformat,
    "date": date.fromisoformat,
    "bytes": lambda value: b64decode(value, validate=True),
    "json": lambda value: value,
    "plain": lambda value: value,
}


@dataclass(frozen=True)
class TableFile:
    """One table as it was written; `columns` are pairs of name and kind, `sha256` is of the compressed file."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    sha256: str


def write_table(connection: Connection, of: Table, path: Path) -> TableFile:
    """Write every row, as the connection's snapshot has it."""
    columns = tuple((one.name, _kind(one)) for one in of.columns)
    encoders = [_WRITTEN[kind] for _, kind in columns]
    count = 0
    rows = connection.execute(select(of).execution_options(yield_per=_ROWS_AT_ONCE))
    with rows, path.open("xb") as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
        for row in rows:
            values = [None if value is None else write(value) for write, value in zip(encoders, row, strict=True)]
            packed.write(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
            count += 1
    return TableFile(of.name, columns, count, file_sha256(path))


def read_table(written: TableFile, path: Path) -> Iterator[list[Any]]:
    """The rows again. Raises Invalid when the file is not what was written."""
    if file_sha256(path) != written.sha256:
        raise Invalid(f"the table {written.name} of the backup is damaged")
    decoders = [_READ[kind] for _, kind in written.columns]
    count = 0
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            values = json.loads(line)
            yield [None if value is None else read(value) for read, value in zip(decoders, values, strict=True)]
            count += 1
    if count != written.rows:
        raise Invalid(f"the table {written.name} of the backup has {count} rows instead of {written.rows}")


def load_table(connection: Connection, written: TableFile, path: Path) -> None:
    """Insert every row of the file. Raises Invalid when the file is not what was written."""
    names = [name for name, _ in written.columns]
    target = table(written.name, *(column(name, _TYPES[kind]) for name, kind in written.columns))
    left = read_table(written, path)
    while rows := list(islice(left, _ROWS_AT_ONCE)):
        connection.execute(insert(target), [dict(zip(names, row, strict=True)) for row in rows])


def file_sha256(path: Path) -> str:
    """Of the whole file. Raises Invalid when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as exc:
        raise Invalid(f"{path.name} is missing from the backup") from exc


def _kind(of: Column[Any]) -> str:
    kinds = ((Instant, "instant"), (Date, "date"), (LargeBinary, "bytes"), (JSON, "json"))
    return next((kind for known, kind in kinds if isinstance(of.type, known)), "plain")
