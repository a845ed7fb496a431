"""The audit trail by patient, kept by the database against change, and how far it has been exported."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_GUARDED = ("audit", "audit_seal")
_SENTENCE = "the audit trail only grows"


def upgrade() -> None:
    """Safe while the previous version still runs: it changes and deletes no audit row.

    It leaves the patient out of what it records, and out of what it seals, and the form of its seals empty by that.
    """
    op.add_column("audit", sa.Column("patient_id", sa.String(64), nullable=True))
    op.add_column("audit_seal", sa.Column("form", sa.SmallInteger(), nullable=True))
    op.add_column("worker", sa.Column("kinds", sa.Text(), nullable=True))
    op.create_index(op.f("ix_audit_patient_id_id"), "audit", ["patient_id", "id"])
    op.create_table(
        "audit_export",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("exported_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("failing_since", tables.Instant(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_export")),
    )
    guard = _guard_on_postgresql if op.get_bind().dialect.name == "postgresql" else _guard_on_sqlite
    for table in _GUARDED:
        guard(table)


def _guard_on_sqlite(table: str) -> None:
    """https://sqlite.org/lang_createtrigger.html#raise"""
    for change in ("UPDATE", "DELETE"):
        name = f"{table}_no_{change.lower()}"
        op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END")


def _guard_on_postgresql(table: str) -> None:
    """For each statement, so that one that meets no row is refused as well.

    https://www.postgresql.org/docs/15/sql-createtrigger.html
    """
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_SENTENCE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    )
