"""Which OAuth client it is: by its secret, by an assertion that its key signed, or by its TLS certificate.

What depends on the request alone is refused with its reason. What depends on the registration is refused with one
sentence, whether the client is unknown, revoked or somebody else; the reason is for our own audit trail. One thing can
be learnt: whose keys are to be fetched and cannot be is asked to come back, and a name that nobody has is not. It is
said all the same: a client whose host of keys is away would otherwise give up, and take it that it was revoked.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.errors import Unauthenticated
from gateway.services.assertions import Assertion, read_assertion
from gateway.services.key_sets import key_of
from gateway.services.published_keys import KeyHost, keys_at
from gateway.store import clients
from gateway.store.clients import Client, KeySet
from gateway.store.engine import Database

CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""What an unknown client's secret is compared with, so that it takes as long as a known one's."""


class NotProven(Unauthenticated):
    """The client is not known, or not who it says; `reason` and `client_id` (a known one) are for the audit trail."""

    def __init__(self, reason: str, client_id: str = "") -> None:
        super().__init__("the client is unknown or did not prove who it is")
        self.reason = reason
        self.client_id = client_id


@dataclass(frozen=True)
class Certificate:
    """The verified TLS certificate of whoever calls: its digest (RFC 8705 3.1), the DNS names in it in lower case."""

    sha256: str
    names: Collection[str]


@dataclass(frozen=True)
class BySecret:
    """RFC 6749 2.3.1."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class ByAssertion:
    """RFC 7523 2.2. `client_id` is the one of the form, '' without; `audience` is the URL of the token endpoint."""

    assertion: str = field(repr=False)
    audience: str
    client_id: str = ""


@dataclass(frozen=True)
class ByCertificate:
    """RFC 8705 2.1.2, tls_client_auth_san_dns."""

    client_id: str


Shown = BySecret | ByAssertion | ByCertificate


@dataclass(frozen=True)
class Proven:
    """Who it is; an `assertion` must not have been used before, and `certificate` is what a token is bound to."""

    client: Client
    assertion: Assertion | None = None
    certificate: Certificate | None = None


def prove(
    database: Database, shown: Shown, *, certificate: Certificate | None, fetch: KeyHost, now: datetime
) -> Proven:
    """Who shows this. Raises Unauthenticated, and Transient where its keys cannot be fetched now."""
    if isinstance(shown, BySecret):
        return Proven(_by_secret(database, shown), certificate=certificate)
    if isinstance(shown, ByCertificate):
        return Proven(_by_certificate(database, shown, certificate), certificate=certificate)
    assertion = read_assertion(shown.assertion, audience=shown.audience, now=now)
    if shown.client_id not in ("", assertion.client_id):
        raise Unauthenticated("client_id differs from the client assertion's")
    return Proven(_by_assertion(database, assertion, fetch, now), assertion, certificate)


def digest(secret: str) -> str:
    """What the database keeps of a secret or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _by_secret(database: Database, shown: BySecret) -> Client:
    client = _in_force(database, shown.client_id)
    expected = client.proof.secret_sha256 if client else ""
    is_right = hmac.compare_digest(expected or _NOBODY, digest(shown.secret))
    if client is None or not expected or not is_right:
        raise _not_proven(client, "secret")
    return client


def _by_certificate(database: Database, shown: ByCertificate, certificate: Certificate | None) -> Client:
    client = _in_force(database, shown.client_id)
    name = client.proof.certificate_name if client else None
    if client is None or not name or certificate is None or name not in certificate.names:
        raise _not_proven(client, "certificate")
    return client


def _by_assertion(database: Database, assertion: Assertion, fetch: KeyHost, now: datetime) -> Client:
    client = _in_force(database, assertion.client_id)
    if client is None or not (client.proof.jwks or client.proof.jwks_url):
        raise _not_proven(client, "assertion")
    if assertion.jku is not None and assertion.jku != client.proof.jwks_url:
        raise _not_proven(client, "jku")

    def is_wanted(keys: KeySet) -> bool:
        return key_of(keys, assertion.kid, assertion.algorithm, now=now) is not None

    keys, url = client.proof.jwks, client.proof.jwks_url
    if url:
        keys = keys_at(database, client.id, url, is_wanted, fetch=fetch, now=now)
    key = key_of(keys, assertion.kid, assertion.algorithm, now=now) if keys else None
    if key is None:
        raise _not_proven(client, "key")
    if not assertion.is_signed_by(key):
        raise _not_proven(client, "signature")
    return client


def _in_force(database: Database, client_id: str) -> Client | None:
    if not CLIENT_ID.fullmatch(client_id):
        return None
    with database.read() as connection:
        found = clients.client_by_id(connection, client_id)
    return found if found is not None and found.revoked_at is None else None


def _not_proven(client: Client | None, reason: str) -> NotProven:
    return NotProven(reason, client.id) if client else NotProven("client")
