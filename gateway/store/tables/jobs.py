"""The outbox."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from gateway.store.tables.columns import Instant, metadata, own_id, reference

outbox = Table(
    "outbox",
    metadata,
    own_id(),
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),
    reference("case_id", "case.id", is_optional=True),
    Column("state", String(16), nullable=False),  # pending | claimed | done | dead
    Column("next_try_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", Instant),
    Column("rung_at", Instant),  # when the broker was last told; a doorbell, not a lease
    Column("last_error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    Index(None, "state", "next_try_at"),
    Index(None, "subject_id", "kind", "state"),
    Index(None, "case_id"),
)
