"""What leaves: deliveries, the decisions and grants they rest on, and what was recalled."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from gateway.store.tables.columns import Instant, blob, metadata, own_id, reference

delivery = Table(
    "delivery",
    metadata,
    own_id(),
    reference("case_id", "case.id"),
    reference("endpoint_id", "endpoint.id"),
    Column("kind", String(32), nullable=False),
    Column("subject_id", String(64), nullable=False),  # a study, a document or a report version
    Column("business_key", String(160), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("waits_for", Text, nullable=False),  # why it does not move, and who can move it; '' when it moves
    Column("payload_sha256", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text, nullable=False),
    Column("is_ambiguous", Boolean, nullable=False),
    Column("sent_anew_at", Instant),  # a person said that nothing of what went before has arrived
    Column("stopped_by", String(100)),  # a person holds it back
    Column("receipt", JSON),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index(None, "case_id"),
    Index(None, "subject_id"),
    Index(None, "created_at"),
    Index(None, "state", "kind"),
)
delivery_item = Table(
    "delivery_item",
    metadata,
    Column("delivery_id", String(64), ForeignKey("delivery.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sop_instance_uid", String(64), nullable=False),  # as it leaves
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    blob("blob_sha256"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("status", String(16)),  # DIMSE status of the destination, hexadecimal, or C-FIND
    Column("sent_at", Instant),
)
decision = Table(
    "decision",
    metadata,
    own_id(),
    reference("case_id", "case.id"),
    reference("delivery_id", "delivery.id", is_optional=True),
    Column("flow", String(32), nullable=False),
    Column("stage", String(16), nullable=False),  # enqueue | grant | consent | transfer | employment | recheck | read
    Column("outcome", String(16), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("consents", JSON, nullable=False),  # [[id, version], ...]
    Column("payload_sha256", String(64), nullable=False),
    Column("valid_until", Instant),
    Column("decided_at", Instant, nullable=False),
    Index(None, "flow", "outcome"),
    Index(None, "case_id"),
    Index(None, "delivery_id"),
)
egress_grant = Table(
    "egress_grant",
    metadata,
    own_id(),
    reference("delivery_id", "delivery.id"),
    reference("decision_id", "decision.id"),
    Column("payload_sha256", String(64), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("cancelled_at", Instant),
    Index(None, "delivery_id"),
)
read_grant = Table(
    "read_grant",
    metadata,
    own_id(),
    reference("case_id", "case.id"),
    reference("party_id", "party.id"),  # who read
    reference("decision_id", "decision.id"),
    Column("client_id", String(64), nullable=False),
    Column("subject", String(128), nullable=False),  # type and id as the reader knows them
    Column("payload_sha256", String(64), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Index(None, "case_id"),
)
recall_notice = Table(
    "recall_notice",
    metadata,
    own_id(),
    reference("case_id", "case.id"),
    reference("delivery_id", "delivery.id", is_optional=True),
    Column("consent_id", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    reference(
        "read_grant_id", "read_grant.id", is_optional=True
    ),  # the first one of what was read, where none was sent
    UniqueConstraint("delivery_id", "consent_id"),
    UniqueConstraint("read_grant_id", "consent_id"),
)
