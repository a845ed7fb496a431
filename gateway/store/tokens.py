"""OAuth clients and their access tokens. Only SHA-256 digests are kept, so a copy of the database opens nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, select

from gateway.store.tables import access_token, oauth_client


@dataclass(frozen=True)
class Client:
    """One OAuth client; with `revoked_at` set it and its tokens are worth nothing."""

    id: str
    party_id: str
    created_at: datetime
    revoked_at: datetime | None


def clients(connection: Connection, *, party_id: str | None = None) -> list[Client]:
    """By id, the revoked ones too."""
    table = oauth_client.c
    query = select(table.id, table.party_id, table.created_at, table.revoked_at).order_by(table.id)
    query = query if party_id is None else query.where(table.party_id == party_id)
    return [Client(*row) for row in connection.execute(query)]


def secret_sha256(connection: Connection, client_id: str) -> str | None:
    """Digest of the secret of a client in force; None for one that is unknown or revoked."""
    is_in_force = and_(oauth_client.c.id == client_id, oauth_client.c.revoked_at.is_(None))
    return connection.execute(select(oauth_client.c.secret_sha256).where(is_in_force)).scalar()


def add_token(connection: Connection, *, token_sha256: str, client_id: str, expires_at: datetime) -> None:
    """Remember a token by its digest."""
    row = {"token_sha256": token_sha256, "client_id": client_id, "expires_at": expires_at}
    connection.execute(insert(access_token).values(row))


def purge(connection: Connection, now: datetime) -> None:
    """Remove the tokens that have expired."""
    connection.execute(delete(access_token).where(access_token.c.expires_at <= now))


def holder(connection: Connection, token_sha256: str, now: datetime) -> Client | None:
    """The client that holds the token, while neither has ended."""
    client = oauth_client.c
    is_in_force = and_(access_token.c.expires_at > now, client.revoked_at.is_(None))
    query = select(client.id, client.party_id, client.created_at, client.revoked_at)
    query = query.join_from(oauth_client, access_token).where(access_token.c.token_sha256 == token_sha256, is_in_force)
    row = connection.execute(query).one_or_none()
    return None if row is None else Client(*row)
