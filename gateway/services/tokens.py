"""Access tokens (RFC 6749 4.4): given to whoever has proven who it is, and recognised.

Tokens are 256 random bits. A fast digest is enough for those: nothing shorter can be guessed from it.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.caller import Caller
from gateway.domain.errors import Conflict, Invalid, Unauthenticated
from gateway.domain.scopes import NOTHING, Scopes, read_scopes
from gateway.services.assertions import Assertion
from gateway.services.client_proof import Certificate, NotProven, Proven, digest
from gateway.store import audit, clients, parties, tokens
from gateway.store.clients import Client
from gateway.store.engine import Database
from gateway.store.tokens import Token

TOKEN_LIFETIME_S = 300
TOKEN_BYTES = 32


class NotHolder(Unauthenticated):
    """The token is bound to a TLS certificate, and whoever shows it shows another one, or none (RFC 8705 3)."""

    def __init__(self, client_id: str) -> None:
        super().__init__("the access token is bound to the TLS certificate that it was fetched with")
        self.client_id = client_id


@dataclass(frozen=True)
class IssuedToken:
    """An opaque bearer token (RFC 6750); this is the only time it is seen in the clear."""

    token: str = field(repr=False)
    lifetime_s: int
    scopes: Scopes


def issue_token(
    database: Database, proven: Proven, *, now: datetime, wished: Scopes = NOTHING, lifetime_s: int = TOKEN_LIFETIME_S
) -> IssuedToken:
    """A token for what the client wishes and may have; without a wish all of it.

    Raises:
        Invalid: nothing of the wish is the client's.
        NotProven: the assertion was used before, in whatever process; or since it was shown, the client was revoked or
            proves itself by something else.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + timedelta(seconds=lifetime_s)
    bound_to = proven.certificate.sha256 if proven.certificate else None
    with database.write("oauth.token") as connection:
        client = _still(connection, proven)
        scopes = _granted(client.scope, wished)
        tokens.purge(connection, now)
        if proven.assertion:
            _use(connection, client.id, proven.assertion)
        tokens.add_token(connection, Token(digest(token), client.id, expires_at, str(scopes), bound_to))
        audit.record(connection, at=now, actor=client.id, action="oauth.token", subject=client.id)
    return IssuedToken(token, lifetime_s, scopes)


def authenticate(database: Database, bearer: str, *, certificate: Certificate | None = None, now: datetime) -> Caller:
    """Whose token this is.

    Raises Unauthenticated when it is unknown, expired, its client is revoked, or it is bound to another certificate.
    """
    with database.read() as connection:
        found = tokens.holder(connection, digest(bearer), now)
        if found is None:
            raise Unauthenticated("the access token is unknown or has expired; fetch a new one at the token endpoint")
        client, token = found
        if token.certificate_sha256 not in (None, certificate.sha256 if certificate else None):
            raise NotHolder(client.id)
        party = parties.party_by_id(connection, client.party_id)
    scopes = read_scopes(client.scope)
    return Caller(client.id, party, scopes if token.scope is None else read_scopes(token.scope).within(scopes))


def _still(connection: Connection, proven: Proven) -> Client:
    """The client as it is now, locked: its keys were fetched in no transaction, which takes a while."""
    client = clients.lock_client(connection, proven.client.id)
    if client is None or client.revoked_at is not None or client.proof != proven.client.proof:
        raise NotProven("changed", proven.client.id)
    return client


def _granted(registered: str, wished: Scopes) -> Scopes:
    own = read_scopes(registered)
    if not wished:
        return own
    granted = wished.within(own)
    if not granted:
        raise Invalid(f"nothing of it is permitted to the client, which may ask for {own}", at="scope")
    return granted


def _use(connection: Connection, client_id: str, assertion: Assertion) -> None:
    try:
        until = assertion.remembered_until
        tokens.use_assertion(connection, client_id, assertion.jti_sha256, expires_at=until)
    except Conflict as exc:
        raise NotProven("replay", client_id) from exc
