"""A read by another party leaves under a grant and can be recalled; a reviewer's cases are found without reading all."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it knows nothing of the table, and the database keeps the index.

    It writes recall notices of deliveries as before; one of a read is there only where this version granted one.
    """
    op.create_table(
        "read_grant",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("party_id", sa.String(length=64), nullable=False),
        sa.Column("decision_id", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("payload_sha256", sa.String(length=64), nullable=False),
        sa.Column("granted_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_read_grant_case_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_read_grant_decision_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_read_grant_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_grant")),
    )
    op.create_index(op.f("ix_read_grant_case_id"), "read_grant", ["case_id"])
    with op.batch_alter_table("recall_notice") as batch_op:
        batch_op.alter_column("delivery_id", existing_type=sa.String(length=64), nullable=True)
        batch_op.add_column(sa.Column("read_grant_id", sa.String(length=64), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_recall_notice_read_grant_id"), "read_grant", ["read_grant_id"], ["id"]
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_recall_notice_read_grant_id_consent_id"), ["read_grant_id", "consent_id"]
        )
    op.create_index(op.f("ix_case_reviewer_id_state"), "case", ["reviewer_id", "state"])
