"""SQLite gives the id of an instance that was destroyed to no other one, as PostgreSQL never did; it goes faster too."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_instance = sa.table("instance", sa.column("id", sa.Integer()))
_quarantine = sa.table("quarantine", sa.column("id", sa.String()), sa.column("instance_id", sa.Integer()))
_audit = sa.table("audit", sa.column("subject", sa.String()))
_sequence = sa.table("sqlite_sequence", sa.column("name", sa.String()), sa.column("seq", sa.Integer()))
_SUBJECT = "instance/"


def upgrade() -> None:
    """Safe while the previous version still runs: the columns are the same, and it leaves the id to the database."""
    op.create_index(op.f("ix_quarantine_instance_id"), "quarantine", ["instance_id"])  # asked for each row that goes
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    referring = _let_go(connection)
    with op.batch_alter_table("instance", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
        pass  # https://sqlite.org/autoinc.html: what is said where the table is made
    _refer_again(connection, referring)
    _go_on_after(connection, _newest(connection))


def _let_go(connection: sa.Connection) -> list[dict[str, str | int]]:
    """What refers to an instance, which would keep its table from being made anew within a transaction."""
    query = sa.select(_quarantine).where(_quarantine.c.instance_id.is_not(None))
    referring = [{"entry_id": row.id, "to": row.instance_id} for row in connection.execute(query)]
    connection.execute(sa.update(_quarantine).values(instance_id=None))
    return referring


def _refer_again(connection: sa.Connection, referring: list[dict[str, str | int]]) -> None:
    is_it = _quarantine.c.id == sa.bindparam("entry_id")
    if referring:
        connection.execute(sa.update(_quarantine).where(is_it).values(instance_id=sa.bindparam("to")), referring)


def _newest(connection: sa.Connection) -> int:
    """The highest id that ever was: the audit trail tells of those whose rows were destroyed."""
    number = sa.cast(sa.func.substr(_audit.c.subject, len(_SUBJECT) + 1), sa.Integer())
    in_trail = sa.select(sa.func.max(number)).where(_audit.c.subject.startswith(_SUBJECT))
    there = sa.select(sa.func.max(_instance.c.id))
    return max(connection.execute(one).scalar() or 0 for one in (in_trail, there))


def _go_on_after(connection: sa.Connection, newest: int) -> None:
    """The table that SQLite counts in has a row once a row was inserted (section 3 of the page above)."""
    connection.execute(sa.delete(_sequence).where(_sequence.c.name == "instance"))
    connection.execute(sa.insert(_sequence).values(name="instance", seq=newest))
