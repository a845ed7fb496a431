"""Clients that prove themselves by a key or a certificate, and what a token may do."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from gateway.store import tables

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_EVERYTHING = "system/*.crus"


def upgrade() -> None:
    """Safe while the previous version still runs: it leaves the columns as they begin, and its tokens name no scope.

    It lets every client with a secret do everything; a client without one cannot come in by it.
    """
    client_columns = (
        sa.Column("scope", sa.Text(), nullable=False, server_default=_EVERYTHING),
        sa.Column("jwks", sa.JSON(), nullable=True),
        sa.Column("jwks_url", sa.Text(), nullable=True),
        sa.Column("certificate_name", sa.Text(), nullable=True),
    )
    for column in client_columns:
        op.add_column("oauth_client", column)
    op.add_column("access_token", sa.Column("scope", sa.Text(), nullable=True))
    op.add_column("access_token", sa.Column("certificate_sha256", sa.String(length=64), nullable=True))
    op.create_table(
        "used_assertion",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("jti_sha256", sa.String(length=64), nullable=False),
        sa.Column("expires_at", tables.Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.id"], name=op.f("fk_used_assertion_client_id")),
        sa.PrimaryKeyConstraint("client_id", "jti_sha256", name=op.f("pk_used_assertion")),
    )
    op.create_table(
        "published_keys",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("tried_at", tables.Instant(timezone=True), nullable=False),
        sa.Column("jwks", sa.JSON(), nullable=True),
        sa.Column("fetched_at", tables.Instant(timezone=True), nullable=True),
        sa.Column("fresh_until", tables.Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.id"], name=op.f("fk_published_keys_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_published_keys")),
    )
