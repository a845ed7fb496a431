"""One OAuth client, with the public keys by which it proves who it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.errors import NotFound
from gateway.services.core import Core
from gateway.services.key_sets import thumbprint, valid_until
from gateway.services.listing.clients import ClientLine, client_line
from gateway.services.listing.names import party_names
from gateway.store import clients, published_keys


@dataclass(frozen=True)
class KeyLine:
    """A public key of a client; by its `thumbprint` (RFC 7638) two people compare it, `expires_at` is its own `exp`."""

    kid: str
    kind: str
    thumbprint: str
    expires_at: datetime | None


@dataclass(frozen=True)
class ClientPage:
    """One client with its keys; of published ones the copy that was fetched last."""

    client: ClientLine
    certificate_name: str | None
    jwks_url: str | None
    keys_fetched_at: datetime | None
    keys: tuple[KeyLine, ...]


def client_page(core: Core, client_id: str) -> ClientPage:
    """Raises NotFound."""
    with core.database.read() as connection:
        one = clients.client_by_id(connection, client_id)
        if one is None:
            raise NotFound(f"no client {client_id!r}")
        published = published_keys.published(connection, client_id)
        names = party_names(connection)
    copy = published.copy if published else None
    keys = one.proof.jwks or (copy.jwks if copy else {"keys": []})
    url, fetched_at = one.proof.jwks_url, copy.fetched_at if copy else None
    lines = tuple(map(_key_line, keys["keys"]))
    return ClientPage(client_line(one, names), one.proof.certificate_name, url, fetched_at, lines)


def _key_line(key: Mapping[str, Any]) -> KeyLine:
    return KeyLine(key["kid"], key["kty"], thumbprint(key), valid_until(key))
