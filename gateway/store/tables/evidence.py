"""Who did what, and the chain that shows a change of it."""

from sqlalchemy import JSON, Column, ForeignKey, Index, String, Table

from gateway.store.tables.columns import Instant, Serial, metadata

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("case_id", String(64)),
    Column("subject", String(128), nullable=False),
    Column("details", JSON, nullable=False),
    Index(None, "case_id"),
    sqlite_autoincrement=True,
)
audit_tail = Table(
    "audit_tail",
    metadata,
    Column("audit_id", Serial, ForeignKey("audit.id"), primary_key=True),
)
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("position", Serial, primary_key=True, autoincrement=False),
    Column("audit_id", Serial, ForeignKey("audit.id"), nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("sealed_at", Instant, nullable=False),
)
