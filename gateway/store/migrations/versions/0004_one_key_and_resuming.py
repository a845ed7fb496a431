"""Which pseudonym key and blob store the installation has, clinics that came from a backup, and the span that a job follows from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it knows neither the table nor the columns, which may be empty."""
    op.create_table(
        "installation",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("key_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("blob_store", sa.String(length=64), nullable=True),
        sa.Column("recorded_at", tables.Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.add_column("party", sa.Column("restored_at", tables.Instant(timezone=True), nullable=True))
    op.add_column("outbox", sa.Column("span_id", sa.String(length=16), nullable=True))
