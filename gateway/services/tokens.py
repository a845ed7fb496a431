"""OAuth 2.0 client credentials (RFC 6749 4.4): tokens issued, bearers recognised.

Secrets and tokens are 256 random bits. A fast digest is enough for those (nothing shorter can be guessed from it),
and both are compared as digests.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.domain.errors import Unauthenticated
from gateway.domain.party import Party
from gateway.store import audit, parties, tokens
from gateway.store.engine import Database

TOKEN_LIFETIME_S = 300
SECRET_BYTES = 32
CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_NOBODY = hashlib.sha256(secrets.token_bytes(SECRET_BYTES)).hexdigest()
"""What an unknown client's secret is compared with, so that it takes as long as a known one's."""


@dataclass(frozen=True)
class Caller:
    """Who makes a request: the OAuth client, and the party on whose behalf it acts."""

    client_id: str
    party: Party


@dataclass(frozen=True)
class IssuedToken:
    """An opaque bearer token (RFC 6750); this is the only time it is seen in the clear."""

    token: str = field(repr=False)
    lifetime_s: int


def issue_token(
    database: Database, *, client_id: str, client_secret: str, now: datetime, lifetime_s: int = TOKEN_LIFETIME_S
) -> IssuedToken:
    """A token for the client with that secret. Raises Unauthenticated, the same for unknown, revoked and wrong."""
    expected = None
    if CLIENT_ID.fullmatch(client_id):
        with database.read() as connection:
            expected = tokens.secret_sha256(connection, client_id)
    is_right = hmac.compare_digest(expected or _NOBODY, digest(client_secret))
    if expected is None or not is_right:
        raise Unauthenticated("the client is unknown or its secret is wrong")
    token = secrets.token_urlsafe(SECRET_BYTES)
    with database.write("oauth.token") as connection:
        tokens.purge(connection, now)
        expires_at = now + timedelta(seconds=lifetime_s)
        tokens.add_token(connection, token_sha256=digest(token), client_id=client_id, expires_at=expires_at)
        audit.record(connection, at=now, actor=client_id, action="oauth.token", subject=client_id)
    return IssuedToken(token, lifetime_s)


def authenticate(database: Database, bearer: str, *, now: datetime) -> Caller:
    """Whose token this is. Raises Unauthenticated when it is unknown, expired, or its client is revoked."""
    with database.read() as connection:
        client = tokens.holder(connection, digest(bearer), now)
        if client is None:
            raise Unauthenticated("the access token is unknown or has expired; fetch a new one at the token endpoint")
        return Caller(client.id, parties.party_by_id(connection, client.party_id))


def digest(secret: str) -> str:
    """What the database keeps of a secret or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()
