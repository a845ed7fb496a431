"""What the audit trail says of studies that came, or came too late, is found without reading the trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: an index more, kept by the database itself."""
    of_studies = sa.text("action IN ('study.matched', 'study.late', 'study.left-out')")
    op.create_index(
        op.f("ix_audit_case_id_subject"),
        "audit",
        ["case_id", "subject"],
        sqlite_where=of_studies,
        postgresql_where=of_studies,
    )
