"""The OAuth clients of the parties, what they prove themselves by, and the tokens they hold."""

from sqlalchemy import JSON, Column, ForeignKey, String, Table, Text

from gateway.domain.scopes import EVERYTHING
from gateway.store.tables.columns import Instant, metadata, own_id, reference


def _of_client() -> Column[str]:
    return Column("client_id", String(64), ForeignKey("oauth_client.id"), primary_key=True)


oauth_client = Table(
    "oauth_client",
    metadata,
    own_id(),
    reference("party_id", "party.id"),
    Column("secret_sha256", String(64), nullable=False),  # '' where it has none
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("scope", Text, nullable=False, server_default=EVERYTHING),
    Column("jwks", JSON(none_as_null=True)),
    Column("jwks_url", Text),
    Column("certificate_name", Text),
)
access_token = Table(
    "access_token",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    reference("client_id", "oauth_client.id"),
    Column("expires_at", Instant, nullable=False),
    Column("scope", Text),  # None: all that the client may do
    Column("certificate_sha256", String(64)),
)
used_assertion = Table(
    "used_assertion",
    metadata,
    _of_client(),
    Column("jti_sha256", String(64), primary_key=True),
    Column("expires_at", Instant, nullable=False),
)
published_keys = Table(
    "published_keys",
    metadata,
    _of_client(),
    Column("tried_at", Instant, nullable=False),
    Column("jwks", JSON(none_as_null=True)),
    Column("fetched_at", Instant),
    Column("fresh_until", Instant),
)
