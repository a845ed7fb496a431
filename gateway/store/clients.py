"""The OAuth clients of the parties, and what each proves itself by. Of a secret only its digest is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Conflict, NotFound
from gateway.domain.scopes import EVERYTHING
from gateway.store.tables import oauth_client

KeySet = Mapping[str, Any]
"""A JWK Set (RFC 7517 5) of public keys."""


@dataclass(frozen=True)
class Proof:
    """What a client may prove itself by; what is None or '' it cannot use.

    `secret_sha256` is the digest of its secret, `jwks` are its public keys, `jwks_url` is where it publishes them
    instead, `certificate_name` is the DNS name in its TLS certificate.
    """

    secret_sha256: str = field(default="", repr=False)
    jwks: KeySet | None = None
    jwks_url: str | None = None
    certificate_name: str | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """As https://www.iana.org/assignments/oauth-parameters#token-endpoint-auth-method names them, in short."""
        has = {"secret": self.secret_sha256, "key": self.jwks or self.jwks_url, "certificate": self.certificate_name}
        return tuple(method for method, what in has.items() if what)


@dataclass(frozen=True)
class Client:
    """One OAuth client; with `revoked_at` set it and its tokens are worth nothing."""

    id: str
    party_id: str
    scope: str
    proof: Proof
    created_at: datetime
    revoked_at: datetime | None = None


def add_client(connection: Connection, new: Client) -> None:
    """Raises Conflict when the client id is taken."""
    row = {"id": new.id, "party_id": new.party_id, "scope": new.scope, "created_at": new.created_at}
    try:
        connection.execute(insert(oauth_client).values(row | asdict(new.proof)))
    except IntegrityError as exc:
        raise Conflict(f"the client id {new.id!r} is registered already") from exc


def change_proof(connection: Connection, client_id: str, proof: Proof) -> None:
    """From now on it proves itself by this alone."""
    connection.execute(update(oauth_client).where(oauth_client.c.id == client_id).values(asdict(proof)))


def change_scope(connection: Connection, client_id: str, scope: str) -> None:
    """From now on it may be given this and no more."""
    connection.execute(update(oauth_client).where(oauth_client.c.id == client_id).values(scope=scope))


def revoke_client(connection: Connection, client_id: str, *, now: datetime) -> None:
    """Its tokens stop at once. Raises NotFound."""
    revoked = update(oauth_client).where(oauth_client.c.id == client_id).values(revoked_at=now)
    if connection.execute(revoked).rowcount == 0:
        raise NotFound(f"no client {client_id!r}")


def clients(connection: Connection) -> Sequence[Client]:
    """By id, the revoked ones too."""
    return [read_client(row) for row in connection.execute(select(oauth_client).order_by(oauth_client.c.id))]


def client_by_id(connection: Connection, client_id: str) -> Client | None:
    """Also a revoked one; None when there is none by that id."""
    row = connection.execute(select(oauth_client).where(oauth_client.c.id == client_id)).one_or_none()
    return None if row is None else read_client(row)


def lock_client(connection: Connection, client_id: str) -> Client | None:
    """As `client_by_id`; others who change the client wait until the transaction ends."""
    query = select(oauth_client).where(oauth_client.c.id == client_id).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else read_client(row)


def read_client(row: Row[Any]) -> Client:
    """The client in a row that has the columns of `oauth_client`."""
    proof = Proof(row.secret_sha256, row.jwks, row.jwks_url, row.certificate_name)
    return Client(row.id, row.party_id, row.scope or EVERYTHING, proof, row.created_at, row.revoked_at)
