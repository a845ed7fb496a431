"""Who did what, the chain that shows a change of it, and what was destroyed."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, SmallInteger, String, Table, Text, text

from gateway.store.tables.columns import Instant, Serial, metadata, own_id, partial_index

_OF_STUDIES = text("action IN ('study.matched', 'study.late', 'study.left-out')")
"""Asked for of every closed case (`audit.last_in_closed_cases`, which names them in this order)."""
_OF_SETTINGS = text("action = 'settings.changed'")
"""Asked for by every program as it starts (`audit.newest_settings`)."""
VIEWS_OF_BEFORE = text("action = 'page.view' AND coalesce(case_id, '') = ''")
"""Lists that were shown: a version before named all the cases in the details of one row (`audit.of_patient`)."""

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
    Column("patient_id", String(64)),  # None also for what the previous version wrote; its case says whose it is
    Index(None, "patient_id", "id"),
    Index(None, "case_id"),
    partial_index(None, "case_id", "subject", where=_OF_STUDIES),
    partial_index(None, "subject", where=_OF_SETTINGS),
    partial_index(None, "action", where=VIEWS_OF_BEFORE),
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
    Column("form", SmallInteger),  # of what was digested (`audit_chain`); None also for what a previous version sealed
)
audit_export = Table(
    "audit_export",
    metadata,
    Column("name", String(32), primary_key=True),  # where to
    Column("position", BigInteger, nullable=False),  # of the last seal that was exported
    Column("exported_at", Instant, nullable=False),
    Column("failing_since", Instant),
    Column("last_error", Text, nullable=False),
)
destruction = Table(
    "destruction",
    metadata,
    own_id(),
    Column("at", Instant, nullable=False),
    Column("case_id", String(64), nullable=False),  # it outlives the case
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(128), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index(None, "case_id"),
)
