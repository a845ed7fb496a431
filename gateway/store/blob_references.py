"""Which blobs the rows refer to."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select, union

from gateway.store.tables import blob_columns


def referenced(connection: Connection) -> Iterator[str]:
    """Every blob that a row refers to, once, in the database's order; '' stands where it was destroyed."""
    digests = union(*(select(column.label("digest")).where(column != "") for column in blob_columns()))  # nor NULL
    with connection.execute(digests.order_by("digest").execution_options(yield_per=1000)) as rows:
        yield from rows.scalars()


def referenced_among(connection: Connection, digests: Collection[str]) -> set[str]:
    """Those of the blobs that a row refers to; one look at each table."""
    found: set[str] = set()
    for column in blob_columns():
        found.update(connection.execute(select(column).where(column.in_(digests))).scalars())
    return found
