"""What people have recorded that consents stand on: transfers to other countries, and who may consent for a patient."""

from sqlalchemy import Column, Index, String, Table, Text

from gateway.store.tables.columns import Instant, metadata, own_id, reference

transfer_instrument = Table(
    "transfer_instrument",
    metadata,
    own_id(),
    reference("clinic_id", "party.id"),  # the custodian
    reference("recipient_id", "party.id"),
    Column("kind", String(64), nullable=False),
    Column("reference", Text, nullable=False),
    Column("valid_from", Instant),
    Column("valid_until", Instant),
    Column("added_by", String(100), nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("ended_by", String(100)),
    Column("ended_at", Instant),  # by a person, whatever its dates say
    Index(None, "clinic_id", "recipient_id"),
)
consent_authority = Table(
    "consent_authority",
    metadata,
    own_id(),
    reference("consent_id", "resource.id"),
    Column("performers_sha256", String(64), nullable=False),  # whom the consent named; no patient data stands here
    Column("basis", Text, nullable=False),
    Column("valid_until", Instant),
    Column("recorded_by", String(100), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("withdrawn_by", String(100)),
    Column("withdrawn_at", Instant),
    Index(None, "consent_id"),
)
