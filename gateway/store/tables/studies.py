"""Studies and instances as they arrived, and what waits in quarantine."""

from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, String, Table, Text, UniqueConstraint, text

from gateway.store.tables.columns import Instant, Serial, blob, metadata, own_id, partial_index, reference

study = Table(
    "study",
    metadata,
    own_id(),
    reference("clinic_id", "party.id"),
    reference("endpoint_id", "endpoint.id"),
    reference("case_id", "case.id", is_optional=True),
    Column("study_instance_uid", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("issuer_of_patient_id", String(255), nullable=False),
    Column("patient_names", JSON, nullable=False),
    Column("birth_date", Date),
    Column("sex", String(8), nullable=False),
    Column("accession_number", String(64), nullable=False),
    Column("accession_pseudonym", String(16), nullable=False, unique=True),
    Column("study_date", Date),
    Column("study_description", Text, nullable=False),
    reference("accepted_case_id", "case.id", is_optional=True),  # a person said: this is that patient
    Column("first_received_at", Instant, nullable=False),
    Column("last_received_at", Instant, nullable=False),
    Column("matched_at", Instant),
    Column("destroyed_at", Instant),
    UniqueConstraint("clinic_id", "study_instance_uid"),
    Index(None, "case_id"),
    Index(None, "clinic_id", "state"),
    Index(None, "first_received_at"),
)
instance = Table(
    "instance",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    reference("study_id", "study.id"),
    Column("clinic_id", String(64), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("series_number", BigInteger),
    Column("instance_number", BigInteger),
    Column("state", String(16), nullable=False),
    blob("blob_sha256"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("clinic_id", "sop_instance_uid", "blob_sha256"),
    Index(None, "study_id"),
    sqlite_autoincrement=True,  # the audit trail names an instance by its id, also when it is no more
)
_IS_OPEN = text("resolved_at IS NULL")
quarantine = Table(
    "quarantine",
    metadata,
    own_id(),
    Column("kind", String(32), nullable=False),
    reference("case_id", "case.id", is_optional=True),
    reference("study_id", "study.id", is_optional=True),
    Column("instance_id", Serial, ForeignKey("instance.id")),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("resolution", String(16)),
    Column("resolved_by", String(100)),
    partial_index(None, "kind", where=_IS_OPEN),
    Index(None, "study_id"),
    Index(None, "case_id"),
    Index(None, "instance_id"),
)
