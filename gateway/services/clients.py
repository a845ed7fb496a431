"""The OAuth clients of clinics and reviewers: registered and revoked by an administrator."""

import secrets
from dataclasses import dataclass, field

from gateway.domain.errors import Invalid
from gateway.domain.ids import new_id
from gateway.services.core import Core
from gateway.services.tokens import CLIENT_ID, SECRET_BYTES, digest
from gateway.store import audit, parties


@dataclass(frozen=True)
class NewClient:
    """The only time its secret is seen in the clear."""

    client_id: str
    secret: str = field(repr=False)
    party_name: str


def add_client(core: Core, party_name: str, client_id: str | None = None, *, actor: str) -> NewClient:
    """A new client of the party, under the wished id or one that is made.

    Raises:
        NotFound: no such party.
        Invalid: the wished id has characters that a URL would have to escape, or more than 64.
        Conflict: the id is taken.
    """
    client_id = client_id or f"client-{new_id()}"
    if not CLIENT_ID.fullmatch(client_id):
        raise Invalid("a client id has 1 to 64 letters, digits and . _ ~ -", at="client_id")
    secret, now = secrets.token_urlsafe(SECRET_BYTES), core.now()
    with core.database.write("client.add") as connection:
        party = parties.party_by_name(connection, party_name)
        parties.add_client(connection, client_id=client_id, party_id=party.id, secret_sha256=digest(secret), now=now)
        details = {"party": party.id}
        audit.record(connection, at=now, actor=actor, action="client.add", subject=client_id, details=details)
    return NewClient(client_id, secret, party.name)


def revoke_client(core: Core, client_id: str, *, actor: str) -> None:
    """Its secret and its tokens are worth nothing any more. Raises NotFound."""
    now = core.now()
    with core.database.write("registry.client") as connection:
        parties.revoke_client(connection, client_id, now=now)
        audit.record(connection, at=now, actor=actor, action="client.revoke", subject=client_id)
