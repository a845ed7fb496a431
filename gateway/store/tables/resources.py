"""FHIR resources as they came in: every version, and what the current one is found by.

The rows of `resource_token`, `resource_text` and `resource_span` are of the version that `resource.indexed_version`
names: a program of the version before this one writes resources without them.
"""

from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint, text

from gateway.store.tables.columns import Instant, metadata, own_id, partial_index, reference

NOT_INDEXED = text("destroyed_at IS NULL AND (indexed_version IS NULL OR indexed_version <> version)")
"""Which resources of `resource` wait to be indexed; a query has to say it in these words to go by the index."""
STILL_INDEXED = text("destroyed_at IS NOT NULL AND indexed_version IS NOT NULL")
"""What a program of the version before destroyed without the rows that it knows nothing of; in these words likewise."""

_Compared = String(255).with_variant(String(255, collation="C"), "postgresql")
"""Text in the order of its code points on both databases, so that an index finds what begins with something."""

resource = Table(
    "resource",
    metadata,
    own_id(),
    reference("party_id", "party.id"),
    Column("type", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("destroyed_at", Instant),
    Column("indexed_version", Integer),
    Index(None, "party_id", "type"),
    Index(None, "party_id", "type", "updated_at"),
    partial_index("ix_resource_not_indexed", "party_id", "type", where=NOT_INDEXED),
    partial_index("ix_resource_still_indexed", "id", where=STILL_INDEXED),
)
resource_version = Table(
    "resource_version",
    metadata,
    Column("resource_id", String(64), ForeignKey("resource.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("client_id", String(64)),
    Column("created_at", Instant, nullable=False),
)
resource_identifier = Table(
    "resource_identifier",
    metadata,
    reference("resource_id", "resource.id"),
    Column("party_id", String(64), nullable=False),
    Column("type", String(64), nullable=False),
    Column("system", String(255), nullable=False),
    Column("value", String(255), nullable=False),
    UniqueConstraint("party_id", "type", "system", "value"),
    Index(None, "party_id", "system", "value"),
    Index(None, "party_id", "type", "value"),
    Index(None, "resource_id"),
)
resource_reference = Table(
    "resource_reference",
    metadata,
    reference("resource_id", "resource.id"),
    Column("parameter", String(64), nullable=False),
    Column("target_id", String(64), nullable=False),
    Index(None, "target_id", "parameter"),
    Index(None, "resource_id"),
)


def _indexed(name: str, *columns: Column[Any] | Index) -> Table:
    """A table of what resources are found by: rows by party, type and search parameter."""
    return Table(
        name,
        metadata,
        reference("resource_id", "resource.id"),
        Column("party_id", String(64), nullable=False),
        Column("type", String(64), nullable=False),
        Column("parameter", String(64), nullable=False),
        *columns,
        Index(None, "resource_id", "parameter"),
    )


resource_token = _indexed(
    "resource_token",
    Column("system", _Compared, nullable=False),
    Column("code", _Compared, nullable=False),
    Index("ix_resource_token_code", "party_id", "type", "parameter", "code", "resource_id"),
)
resource_text = _indexed(
    "resource_text",
    Column("folded", _Compared, nullable=False),
    Column("written", _Compared, nullable=False),
    Index("ix_resource_text_folded", "party_id", "type", "parameter", "folded", "resource_id"),
)
resource_span = _indexed(
    "resource_span",
    Column("low", Instant, nullable=False),
    Column("high", Instant, nullable=False),
    Index("ix_resource_span_low", "party_id", "type", "parameter", "low", "high", "resource_id"),
)
