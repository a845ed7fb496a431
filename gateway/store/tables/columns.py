"""The one MetaData, and the kinds of columns that many tables have."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    TextClause,
    TypeDecorator,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
_IS_BLOB = "is_blob"


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC on both databases; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime")
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Hand out an aware UTC datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite does so for INTEGER only."""


def own_id() -> Column[str]:
    """The primary key: random text."""
    return Column("id", String(64), primary_key=True)


def reference(name: str, target: str, *, is_optional: bool = False) -> Column[Any]:
    """A foreign key to `table.id`."""
    return Column(name, String(64), ForeignKey(target), nullable=is_optional)


def blob(name: str, *, is_optional: bool = False) -> Column[str]:
    """The SHA-256 of a blob: what such a column holds is not swept from the blob store."""
    return Column(name, String(64), nullable=is_optional, info={_IS_BLOB: True})


def blob_columns() -> list[Column[Any]]:
    """Every column that refers to blobs."""
    return [column for table in metadata.sorted_tables for column in table.columns if column.info.get(_IS_BLOB)]


def partial_index(name: str | None, *columns: str, where: TextClause | ColumnElement[bool]) -> Index:
    """An index of the rows for which the condition holds, as the migrations make it on both databases.

    As an argument for PostgreSQL (`postgresql_where`) it would load that dialect into every program, and into every
    command, also where SQLite is used.
    """
    return Index(name, *columns, info={"where": where})
