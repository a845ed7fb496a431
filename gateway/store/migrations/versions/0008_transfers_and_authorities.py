"""What lets data go to another country, who may consent for a patient, and for which organisation a reviewer works."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it knows nothing of these tables."""
    op.create_table(
        "transfer_instrument",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("clinic_id", sa.String(length=64), nullable=False),
        sa.Column("recipient_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("valid_from", tables.Instant(timezone=True), nullable=True),
        sa.Column("valid_until", tables.Instant(timezone=True), nullable=True),
        sa.Column("added_by", sa.String(length=100), nullable=False),
        sa.Column("added_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", tables.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["clinic_id"], ["party.id"], name=op.f("fk_transfer_instrument_clinic_id")),
        sa.ForeignKeyConstraint(["recipient_id"], ["party.id"], name=op.f("fk_transfer_instrument_recipient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_instrument")),
    )
    op.create_index(
        op.f("ix_transfer_instrument_clinic_id_recipient_id"), "transfer_instrument", ["clinic_id", "recipient_id"]
    )
    op.create_table(
        "consent_authority",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("consent_id", sa.String(length=64), nullable=False),
        sa.Column("performers_sha256", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("valid_until", tables.Instant(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=100), nullable=True),
        sa.Column("withdrawn_at", tables.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["consent_id"], ["resource.id"], name=op.f("fk_consent_authority_consent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_authority")),
    )
    op.create_index(op.f("ix_consent_authority_consent_id"), "consent_authority", ["consent_id"])
    op.create_table(
        "party_organization",
        sa.Column("party_id", sa.String(length=64), nullable=False),
        sa.Column("system", sa.String(length=255), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_organization_party_id")),
        sa.UniqueConstraint("party_id", "system", "value", name=op.f("uq_party_organization_party_id_system_value")),
    )
