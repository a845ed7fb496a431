"""Cases, the keys by which studies find them, and their documents."""

from sqlalchemy import Column, Date, ForeignKey, Index, String, Table, Text

from gateway.store.tables.columns import Instant, blob, metadata, own_id, reference

case = Table(
    "case",
    metadata,
    own_id(),  # the logical id of the clinic's ServiceRequest
    reference("clinic_id", "party.id"),
    reference("reviewer_id", "party.id", is_optional=True),
    Column("patient_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("pseudonym", String(16), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),  # from then on the retention period runs
    Column("legal_hold", Text),  # why nothing of it may be destroyed
    Column("destroyed_at", Instant),  # of its patient nothing is left
    Index(None, "clinic_id", "patient_id", "state"),
    Index(None, "reviewer_id", "state"),
    Index(None, "created_at"),
)
case_key = Table(
    "case_key",
    metadata,
    reference("case_id", "case.id"),
    reference("clinic_id", "party.id"),
    Column("kind", String(32), nullable=False),  # study-instance-uid | accession-number | linked-study
    Column("value", String(128), nullable=False),
    Index(None, "clinic_id", "kind", "value"),
    Index(None, "case_id"),
)
document = Table(
    "document",
    metadata,
    own_id(),  # the logical id of the DocumentReference
    reference("case_id", "case.id"),
    Column("state", String(16), nullable=False),  # waiting | cleared | rejected
    Column("title", Text, nullable=False),
    Column("loinc", String(16), nullable=False),
    Column("clinical_date", Date, nullable=False),
    blob("original_sha256"),
    blob("cleared_sha256", is_optional=True),
    Column("cleared_by", String(100)),
    Column("created_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    Index(None, "case_id"),
)
