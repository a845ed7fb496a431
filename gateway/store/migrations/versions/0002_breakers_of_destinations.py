"""Breakers of destinations, what the outbox needs for them, and what a person said of an ambiguous delivery."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it leaves the new columns to their defaults."""
    op.create_table(
        "breaker",
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", tables.Instant(timezone=True), nullable=True),
        sa.Column("probe_at", tables.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name=op.f("fk_breaker_endpoint_id_endpoint")),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("pk_breaker")),
    )
    op.add_column("outbox", sa.Column("endpoint_id", sa.String(length=64), nullable=True))
    op.add_column("outbox", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("sent_anew_at", tables.Instant(timezone=True), nullable=True))
    is_rung = sa.text("rung_at IS NOT NULL")
    op.create_index(op.f("ix_outbox_rung_at"), "outbox", ["rung_at"], sqlite_where=is_rung, postgresql_where=is_rung)
