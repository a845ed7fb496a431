"""What FHIR resources are found by."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.store.tables import Instant

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Safe while the previous version still runs: it leaves the column empty, and such a resource is indexed later.

    One that it destroys after that keeps its rows in the new tables until the recurring job of them finds it.
    """
    op.add_column("resource", sa.Column("indexed_version", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_resource_party_id_type_updated_at"), "resource", ["party_id", "type", "updated_at"])
    not_indexed = sa.text("destroyed_at IS NULL AND (indexed_version IS NULL OR indexed_version <> version)")
    op.create_index(
        "ix_resource_not_indexed",
        "resource",
        ["party_id", "type"],
        sqlite_where=not_indexed,
        postgresql_where=not_indexed,
    )
    still_indexed = sa.text("destroyed_at IS NOT NULL AND indexed_version IS NOT NULL")
    op.create_index(
        "ix_resource_still_indexed",
        "resource",
        ["id"],
        sqlite_where=still_indexed,
        postgresql_where=still_indexed,
    )
    compared = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
    _create("resource_token", {"system": compared, "code": compared}, "code")
    _create("resource_text", {"folded": compared, "written": compared}, "folded")
    _create("resource_span", {"low": Instant(), "high": Instant()}, "low", "high")


def _create(name: str, columns: Mapping[str, sa.types.TypeEngine[Any]], *searched: str) -> None:
    """`searched` are the columns of the index by which rows are found; it is named after the first."""
    op.create_table(
        name,
        sa.Column("resource_id", sa.String(64), nullable=False),
        sa.Column("party_id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("parameter", sa.String(64), nullable=False),
        *(sa.Column(column, kind, nullable=False) for column, kind in columns.items()),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"], name=op.f(f"fk_{name}_resource_id")),
    )
    op.create_index(op.f(f"ix_{name}_resource_id_parameter"), name, ["resource_id", "parameter"])
    op.create_index(f"ix_{name}_{searched[0]}", name, ["party_id", "type", "parameter", *searched, "resource_id"])
