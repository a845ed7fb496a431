"""People who sign in, their sessions, and who failed to. Secrets are kept as digests, hashes or sealed."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint

from gateway.store.tables.columns import Instant, metadata, own_id, reference

person = Table(
    "person",
    metadata,
    own_id(),
    Column("name", String(64), nullable=False, unique=True),
    reference("party_id", "party.id", is_optional=True),
    Column("issuer", String(255)),  # of an identity provider's person, who has no password here
    Column("subject", String(255)),
    Column("password_hash", String(255)),
    Column("totp_sealed", LargeBinary),
    Column("totp_step", BigInteger),  # of the last code that was used: none is good twice
    Column("enrolment_sha256", String(64), unique=True),
    Column("enrolment_ends_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    UniqueConstraint("issuer", "subject"),
)
person_role = Table(
    "person_role",
    metadata,
    Column("person_id", String(64), ForeignKey("person.id"), primary_key=True),
    Column("role", String(32), primary_key=True),
)
recovery_code = Table(
    "recovery_code",
    metadata,
    Column("code_sha256", String(64), primary_key=True),
    Column("person_id", String(64), ForeignKey("person.id"), nullable=False, index=True),
)
person_session = Table(
    "person_session",
    metadata,
    own_id(),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("person_id", String(64), ForeignKey("person.id"), nullable=False, index=True),
    Column("address", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
person_device = Table(
    "person_device",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("person_id", String(64), ForeignKey("person.id"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
)
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject_sha256", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False, index=True),
)
