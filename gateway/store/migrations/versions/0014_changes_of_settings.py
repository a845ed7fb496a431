"""What the settings were when a program last started is found without reading the whole trail."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: an index more, kept by the database itself."""
    of_settings = sa.text("action = 'settings.changed'")
    op.create_index(
        op.f("ix_audit_subject"), "audit", ["subject"], sqlite_where=of_settings, postgresql_where=of_settings
    )
