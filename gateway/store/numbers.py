"""The ids that a table counts: they go on after everything that ever had one, also in a database that was loaded.

What was destroyed has left its id in the audit trail, and nothing else may get it.
"""

from sqlalchemy import BigInteger, Column, Connection, Table, cast, delete, func, insert, select, table
from sqlalchemy import column as named

from gateway.store.tables import audit, instance, metadata

_SUBJECT = "instance/"
_IN_TRAIL = select(func.max(cast(func.substr(audit.c.subject, len(_SUBJECT) + 1), BigInteger))).where(
    audit.c.subject.startswith(_SUBJECT)
)
_COUNTED = table("sqlite_sequence", named("name"), named("seq"))


def go_on(connection: Connection) -> None:
    """Rows were written with their ids: have each table count on after the highest that it or the trail has."""
    for one in metadata.sorted_tables:
        counted = one.autoincrement_column
        if counted is None:
            continue
        highest = connection.execute(select(func.max(counted))).scalar() or 0
        if one is instance:
            highest = max(highest, connection.execute(_IN_TRAIL).scalar() or 0)
        if highest:
            _count_from(connection, one, counted, highest)


def _count_from(connection: Connection, counting: Table, counted: Column[int], highest: int) -> None:
    """PostgreSQL has a sequence for it, SQLite a row of `sqlite_sequence` (https://sqlite.org/autoinc.html, 3)."""
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(f'"{counting.name}"', counted.name)
        connection.execute(select(func.setval(sequence, highest)))
    elif counting.dialect_options["sqlite"]["autoincrement"]:
        connection.execute(delete(_COUNTED).where(_COUNTED.c.name == counting.name))
        connection.execute(insert(_COUNTED).values(name=counting.name, seq=highest))
