"""The schema. Ids are random text, instants are UTC, JSON columns hold small facts that are only ever shown.

Patient data stands in `resource_version`, `resource_identifier`, `case_key`, `document.title`, `study`,
`quarantine.details` and the blobs, and nowhere else.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC on both databases; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime")
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Hand out an aware UTC datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[str]:
    return Column("id", String(64), primary_key=True)


def _ref(name: str, target: str, *, is_optional: bool = False) -> Column[Any]:
    return Column(name, String(64), ForeignKey(target), nullable=is_optional)


# --- who ---------------------------------------------------------------------------------------------------------
party = Table(
    "party",
    metadata,
    _id(),
    Column("kind", String(16), nullable=False),
    Column("name", String(100), nullable=False, unique=True),
    Column("country", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
)
party_identifier = Table(
    "party_identifier",
    metadata,
    _ref("party_id", "party.id"),
    Column("system", String(255), nullable=False),
    Column("value", String(255), nullable=False),
    UniqueConstraint("system", "value"),
)
endpoint = Table(
    "endpoint",
    metadata,
    _id(),
    _ref("party_id", "party.id"),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("ae_title", String(16), unique=True),
    Column("address", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
)
oauth_client = Table(
    "oauth_client",
    metadata,
    _id(),
    _ref("party_id", "party.id"),
    Column("secret_sha256", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)
access_token = Table(
    "access_token",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    _ref("client_id", "oauth_client.id"),
    Column("expires_at", Instant, nullable=False),
)

# --- FHIR resources as they came in ------------------------------------------------------------------------------
resource = Table(
    "resource",
    metadata,
    _id(),
    _ref("party_id", "party.id"),
    Column("type", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
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
    _ref("resource_id", "resource.id"),
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
    _ref("resource_id", "resource.id"),
    Column("parameter", String(64), nullable=False),
    Column("target_id", String(64), nullable=False),
    Index(None, "target_id", "parameter"),
    Index(None, "resource_id"),
)

# --- cases -------------------------------------------------------------------------------------------------------
case = Table(
    "case",
    metadata,
    _id(),  # the logical id of the clinic's ServiceRequest
    _ref("clinic_id", "party.id"),
    _ref("reviewer_id", "party.id", is_optional=True),
    Column("patient_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("pseudonym", String(16), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "clinic_id", "patient_id", "state"),
)
case_key = Table(
    "case_key",
    metadata,
    _ref("case_id", "case.id"),
    _ref("clinic_id", "party.id"),
    Column("kind", String(32), nullable=False),  # study-instance-uid | accession-number
    Column("value", String(128), nullable=False),
    Index(None, "clinic_id", "kind", "value"),
    Index(None, "case_id"),
)
document = Table(
    "document",
    metadata,
    _id(),  # the logical id of the DocumentReference
    _ref("case_id", "case.id"),
    Column("state", String(16), nullable=False),  # waiting | cleared | rejected
    Column("title", Text, nullable=False),
    Column("loinc", String(16), nullable=False),
    Column("clinical_date", Date, nullable=False),
    Column("original_sha256", String(64), nullable=False),
    Column("cleared_sha256", String(64)),
    Column("cleared_by", String(100)),
    Column("created_at", Instant, nullable=False),
    Column("cleared_at", Instant),
    Index(None, "case_id"),
)

# --- images ------------------------------------------------------------------------------------------------------
study = Table(
    "study",
    metadata,
    _id(),
    _ref("clinic_id", "party.id"),
    _ref("endpoint_id", "endpoint.id"),
    _ref("case_id", "case.id", is_optional=True),
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
    _ref("accepted_case_id", "case.id", is_optional=True),  # a person said: this is that patient
    Column("first_received_at", Instant, nullable=False),
    Column("last_received_at", Instant, nullable=False),
    Column("matched_at", Instant),
    UniqueConstraint("clinic_id", "study_instance_uid"),
    Index(None, "case_id"),
    Index(None, "clinic_id", "state"),
)
instance = Table(
    "instance",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _ref("study_id", "study.id"),
    Column("clinic_id", String(64), nullable=False),
    Column("series_instance_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("series_number", BigInteger),
    Column("instance_number", BigInteger),
    Column("state", String(16), nullable=False),
    Column("blob_sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    UniqueConstraint("clinic_id", "sop_instance_uid", "blob_sha256"),
    Index(None, "study_id"),
)
quarantine = Table(
    "quarantine",
    metadata,
    _id(),
    Column("kind", String(32), nullable=False),
    _ref("case_id", "case.id", is_optional=True),
    _ref("study_id", "study.id", is_optional=True),
    Column("instance_id", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("instance.id")),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("resolution", String(16)),
    Column("resolved_by", String(100)),
    Index(None, "study_id"),
    Index(None, "case_id"),
)

# --- reports -----------------------------------------------------------------------------------------------------
report = Table(
    "report",
    metadata,
    _id(),
    _ref("case_id", "case.id"),
    _ref("reviewer_id", "party.id"),
    Column("report_key", String(128), nullable=False),  # one for all versions of a report
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("diagnostic_report_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("composition_id", String(64), ForeignKey("resource.id"), nullable=False),
    Column("composition_version", Integer, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    Column("pdf_sha256", String(64)),
    Column("html_sha256", String(64)),
    Column("created_at", Instant, nullable=False),
    Column("rendered_at", Instant),
    UniqueConstraint("report_key", "version"),
    Index(None, "case_id"),
)

# --- what leaves -------------------------------------------------------------------------------------------------
delivery = Table(
    "delivery",
    metadata,
    _id(),
    _ref("case_id", "case.id"),
    _ref("endpoint_id", "endpoint.id"),
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),  # a study, a document or a report version
    Column("business_key", String(160), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("waits_for", Text, nullable=False),  # why it does not move, and who can move it; '' when it moves
    Column("payload_sha256", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("is_ambiguous", Boolean, nullable=False),
    Column("receipt", JSON),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(None, "case_id"),
    Index(None, "subject_id"),
)
delivery_item = Table(
    "delivery_item",
    metadata,
    Column("delivery_id", String(64), ForeignKey("delivery.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),  # as it leaves
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("blob_sha256", String(64), nullable=False),
    Column("status", String(16)),  # DIMSE status of the destination, hexadecimal
    Column("sent_at", Instant),
)
decision = Table(
    "decision",
    metadata,
    _id(),
    _ref("case_id", "case.id"),
    _ref("delivery_id", "delivery.id", is_optional=True),
    Column("flow", String(32), nullable=False),
    Column("stage", String(16), nullable=False),  # enqueue | start | grant
    Column("outcome", String(16), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("consents", JSON, nullable=False),  # [[id, version], ...]
    Column("payload_sha256", String(64), nullable=False),
    Column("valid_until", Instant),
    Column("decided_at", Instant, nullable=False),
    Index(None, "case_id"),
    Index(None, "delivery_id"),
)
egress_grant = Table(
    "egress_grant",
    metadata,
    _id(),
    _ref("delivery_id", "delivery.id"),
    _ref("decision_id", "decision.id"),
    Column("payload_sha256", String(64), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("cancelled_at", Instant),
    Index(None, "delivery_id"),
)
recall_notice = Table(
    "recall_notice",
    metadata,
    _id(),
    _ref("case_id", "case.id"),
    _ref("delivery_id", "delivery.id"),
    Column("consent_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("delivery_id", "consent_id"),
)

# --- work and evidence -------------------------------------------------------------------------------------------
outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),
    _ref("case_id", "case.id", is_optional=True),
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
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
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
    Column("audit_id", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("audit.id"), primary_key=True),
)
audit_seal = Table(
    "audit_seal",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column(
        "audit_id", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("audit.id"), nullable=False, unique=True
    ),
    Column("sha256", String(64), nullable=False),
    Column("sealed_at", Instant, nullable=False),
)
