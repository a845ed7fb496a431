"""Who there is: clinics and reviewers, and their systems."""

from sqlalchemy import JSON, Column, String, Table, UniqueConstraint

from gateway.store.tables.columns import Instant, metadata, own_id, reference

party = Table(
    "party",
    metadata,
    own_id(),
    Column("kind", String(16), nullable=False),
    Column("name", String(100), nullable=False, unique=True),
    Column("country", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("restored_at", Instant),  # from a backup: nothing of the clinic's cases leaves until a person says so
    Column("created_at", Instant, nullable=False),
)
party_identifier = Table(
    "party_identifier",
    metadata,
    reference("party_id", "party.id"),
    Column("system", String(255), nullable=False),
    Column("value", String(255), nullable=False),
    UniqueConstraint("system", "value"),
)
party_organization = Table(
    "party_organization",
    metadata,
    reference("party_id", "party.id"),  # a reviewer who works for the organisation of this identifier
    Column("system", String(255), nullable=False),
    Column("value", String(255), nullable=False),
    UniqueConstraint("party_id", "system", "value"),
)
endpoint = Table(
    "endpoint",
    metadata,
    own_id(),
    reference("party_id", "party.id"),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("ae_title", String(16), unique=True),
    Column("address", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
)
