"""FHIR resources as they came in: every version, and what the current one is found by."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from gateway.store.tables.columns import Instant, metadata, own_id, reference

resource = Table(
    "resource",
    metadata,
    own_id(),
    reference("party_id", "party.id"),
    Column("type", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("destroyed_at", Instant),
    Index(None, "party_id", "type"),
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
