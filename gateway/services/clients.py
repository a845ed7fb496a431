"""The OAuth clients of clinics and reviewers: registered, changed and revoked by an administrator."""

import secrets
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from sqlalchemy import Connection

from fhir_mappings.resource_types import RESOURCE_TYPES_OF_R4
from gateway.domain.addresses import check_host, is_loopback
from gateway.domain.errors import Conflict, Invalid, NotFound
from gateway.domain.ids import new_id
from gateway.domain.scopes import EVERYTHING, Scopes, read_scopes
from gateway.services.client_proof import CLIENT_ID, digest
from gateway.services.core import Core
from gateway.services.key_sets import read_key_set
from gateway.store import audit, clients, parties, published_keys, tokens
from gateway.store.clients import Client, Proof

SECRET_BYTES = 32
_LONGEST_URL = 300


@dataclass(frozen=True)
class Means:
    """What a client is to prove itself by: any of a secret, public keys or their address, a certificate's name."""

    has_secret: bool = False
    jwks: bytes | None = None
    jwks_url: str | None = None
    certificate_name: str | None = None


@dataclass(frozen=True)
class NewClient:
    """The only time that its secret, '' for none, is seen in the clear."""

    client_id: str
    secret: str = field(repr=False)
    party_name: str
    methods: tuple[str, ...]
    scope: str


def add_client(
    core: Core,
    party_name: str,
    client_id: str | None = None,
    *,
    means: Means | None = None,
    scope: str = EVERYTHING,
    actor: str,
) -> NewClient:
    """A new client of the party, under the wished id or one that is made; it has a secret unless `means` say otherwise.

    Raises:
        NotFound: no such party.
        Invalid: an id with characters that a URL would have to escape, or more than 64; keys, an address, a name or
            scopes that cannot be used.
        Conflict: the id is taken.
    """
    client_id = client_id or f"client-{new_id()}"
    if not CLIENT_ID.fullmatch(client_id):
        raise Invalid("a client id has 1 to 64 letters, digits and . _ ~ -", at="client_id")
    permitted = _permitted(scope)
    means = means or Means(has_secret=True)
    secret = secrets.token_urlsafe(SECRET_BYTES) if means.has_secret else ""
    proof, now = _proof(means, secret), core.now()
    with core.database.write("client.add") as connection:
        party = parties.party_by_name(connection, party_name)
        clients.add_client(connection, Client(client_id, party.id, str(permitted), proof, now))
        details = {"party": party.id, "methods": list(proof.methods), "scope": str(permitted)}
        audit.record(connection, at=now, actor=actor, action="client.add", subject=client_id, details=details)
    return NewClient(client_id, secret, party.name, proof.methods, str(permitted))


def rotate_secret(core: Core, client_id: str, *, actor: str) -> str:
    """A new secret; the one before and the tokens are worth nothing any more. Raises NotFound, Conflict without one."""
    secret, now = secrets.token_urlsafe(SECRET_BYTES), core.now()
    with core.database.write("client.rotate-secret") as connection:
        client = _in_force(connection, client_id)
        if not client.proof.secret_sha256:
            raise Conflict(f"client {client_id!r} has no secret; it proves itself by {_listed(client.proof)}")
        clients.change_proof(connection, client_id, replace(client.proof, secret_sha256=digest(secret)))
        tokens.end_tokens(connection, client_id)
        audit.record(connection, at=now, actor=actor, action="client.rotate-secret", subject=client_id)
    return secret


def set_keys(
    core: Core, client_id: str, *, jwks: bytes | None = None, jwks_url: str | None = None, actor: str
) -> Client:
    """Other keys, or another address of them; those before and the tokens are worth nothing any more.

    Raises NotFound, Invalid for keys or an address that cannot be used, Conflict where it proves itself without keys.
    """
    new, now = _proof(Means(jwks=jwks, jwks_url=jwks_url), ""), core.now()
    with core.database.write("client.set-keys") as connection:
        client = _in_force(connection, client_id)
        if not client.proof.jwks and not client.proof.jwks_url:
            raise Conflict(f"client {client_id!r} has no keys; it proves itself by {_listed(client.proof)}")
        proof = replace(client.proof, jwks=new.jwks, jwks_url=new.jwks_url)
        clients.change_proof(connection, client_id, proof)
        published_keys.forget_copy(connection, client_id)
        tokens.end_tokens(connection, client_id)
        details = {"keys": [key["kid"] for key in proof.jwks["keys"]] if proof.jwks else proof.jwks_url}
        audit.record(connection, at=now, actor=actor, action="client.set-keys", subject=client_id, details=details)
    return replace(client, proof=proof)


def set_scopes(core: Core, client_id: str, scope: str, *, actor: str) -> str:
    """Register it for something else, and end its tokens; gives what it may do now.

    Raises NotFound, Invalid, and Conflict where it is registered for just that, or revoked.
    """
    permitted, now = str(_permitted(scope)), core.now()
    with core.database.write("client.set-scopes") as connection:
        client = _in_force(connection, client_id)
        if permitted == client.scope:
            raise Conflict(f"client {client_id!r} is registered for {permitted} already")
        clients.change_scope(connection, client_id, permitted)
        tokens.end_tokens(connection, client_id)
        details = {"from": client.scope, "to": permitted}
        audit.record(connection, at=now, actor=actor, action="client.set-scopes", subject=client_id, details=details)
    return permitted


def revoke_client(core: Core, client_id: str, *, actor: str) -> None:
    """Whatever it proves itself by and its tokens are worth nothing any more. Raises NotFound."""
    now = core.now()
    with core.database.write("registry.client") as connection:
        clients.revoke_client(connection, client_id, now=now)
        audit.record(connection, at=now, actor=actor, action="client.revoke", subject=client_id)


def _in_force(connection: Connection, client_id: str) -> Client:
    found = clients.lock_client(connection, client_id)
    if found is None:
        raise NotFound(f"no client {client_id!r}")
    if found.revoked_at is not None:
        raise Conflict(f"client {client_id!r} is revoked; register another one")
    return found


def _permitted(scope: str) -> Scopes:
    permitted = read_scopes(scope, of_types=RESOURCE_TYPES_OF_R4)
    if not permitted:
        raise Invalid("a client may do something", at="scope")
    return permitted


def _listed(proof: Proof) -> str:
    return " and ".join(proof.methods)


def _proof(means: Means, secret: str) -> Proof:
    if means.jwks is not None and means.jwks_url is not None:
        raise Invalid("the keys come from a file or from an address, not from both", at="jwks")
    proof = Proof(
        secret_sha256=digest(secret) if secret else "",
        jwks=None if means.jwks is None else read_key_set(means.jwks),
        jwks_url=None if means.jwks_url is None else _checked_url(means.jwks_url),
        certificate_name=None if means.certificate_name is None else _checked_name(means.certificate_name),
    )
    if not proof.methods and not secret:
        raise Invalid("a client proves itself by a secret, keys or a certificate", at="client")
    return proof


def _checked_url(url: str) -> str:
    """https, or http on this machine; it names a host and nothing else that is secret or moves."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError as exc:
        raise Invalid("not a URL", at="jwks_url") from exc
    if not is_whole or len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"not a URL, or one of more than {_LONGEST_URL} characters", at="jwks_url")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise Invalid("keys are fetched over https", at="jwks_url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("the address of keys has no user, password or fragment", at="jwks_url")
    return url


def _checked_name(name: str) -> str:
    """A DNS name as it stands in a certificate, compared as a whole: `*` means nothing."""
    if "*" in name or "." not in name:
        raise Invalid("a whole DNS name, such as ehr.clinic.example", at="certificate_name")
    return check_host(name).lower()
