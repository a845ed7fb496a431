"""Retention, stopped deliveries, what each object of a sending met, traces, and indexes for lists and figures."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it leaves the new columns to their defaults."""
    op.create_table(
        "destruction",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("at", tables.Instant(timezone=True), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destruction")),
    )
    op.create_index(op.f("ix_destruction_case_id"), "destruction", ["case_id"])
    op.add_column("case", sa.Column("closed_at", tables.Instant(timezone=True), nullable=True))
    op.add_column("case", sa.Column("legal_hold", sa.Text(), nullable=True))
    op.add_column("case", sa.Column("destroyed_at", tables.Instant(timezone=True), nullable=True))
    op.add_column("resource", sa.Column("destroyed_at", tables.Instant(timezone=True), nullable=True))
    op.add_column("study", sa.Column("destroyed_at", tables.Instant(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("stopped_by", sa.String(length=100), nullable=True))
    op.add_column("delivery_item", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("delivery_item", sa.Column("last_error", sa.Text(), nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("trace_id", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_case_created_at"), "case", ["created_at"])
    op.create_index(op.f("ix_delivery_created_at"), "delivery", ["created_at"])
    op.create_index(op.f("ix_study_first_received_at"), "study", ["first_received_at"])
    op.create_index(op.f("ix_delivery_state_kind"), "delivery", ["state", "kind"])
    op.create_index(op.f("ix_decision_flow_outcome"), "decision", ["flow", "outcome"])
    is_open = sa.text("resolved_at IS NULL")
    op.create_index(op.f("ix_quarantine_kind"), "quarantine", ["kind"], sqlite_where=is_open, postgresql_where=is_open)
