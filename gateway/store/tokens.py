"""Access tokens, and the assertions that were used for them. Of both only SHA-256 digests are kept."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Conflict
from gateway.store.clients import Client, read_client
from gateway.store.tables import access_token, oauth_client, used_assertion


@dataclass(frozen=True)
class Token:
    """One token. `scope` None is all that the client may do; with `certificate_sha256` it is its holder's alone."""

    sha256: str
    client_id: str
    expires_at: datetime
    scope: str | None
    certificate_sha256: str | None


def add_token(connection: Connection, new: Token) -> None:
    """Remember a token by its digest."""
    row = {"token_sha256": new.sha256, "client_id": new.client_id, "expires_at": new.expires_at}
    row |= {"scope": new.scope, "certificate_sha256": new.certificate_sha256}
    connection.execute(insert(access_token).values(row))


def use_assertion(connection: Connection, client_id: str, jti_sha256: str, *, expires_at: datetime) -> None:
    """Remember until then that the client has used the assertion. Raises Conflict when it had: nothing is committed."""
    row = {"client_id": client_id, "jti_sha256": jti_sha256, "expires_at": expires_at}
    try:
        connection.execute(insert(used_assertion).values(row))
    except IntegrityError as exc:
        raise Conflict("the assertion was used before") from exc


def end_tokens(connection: Connection, client_id: str) -> None:
    """The client's tokens are worth nothing any more."""
    connection.execute(delete(access_token).where(access_token.c.client_id == client_id))


def purge(connection: Connection, now: datetime) -> None:
    """Remove the tokens that have expired, and the assertions that would be refused as expired anyway."""
    for table in (access_token, used_assertion):
        connection.execute(delete(table).where(table.c.expires_at <= now))


def holder(connection: Connection, token_sha256: str, now: datetime) -> tuple[Client, Token] | None:
    """The client that holds the token, and the token, while neither has ended."""
    is_in_force = and_(access_token.c.expires_at > now, oauth_client.c.revoked_at.is_(None))
    of_token = access_token.c
    query = select(oauth_client, of_token.expires_at, of_token.scope.label("given"), of_token.certificate_sha256)
    query = query.join_from(oauth_client, access_token).where(of_token.token_sha256 == token_sha256, is_in_force)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return read_client(row), Token(token_sha256, row.id, row.expires_at, row.given, row.certificate_sha256)
