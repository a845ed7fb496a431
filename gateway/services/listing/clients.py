"""The OAuth clients there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.store import clients
from gateway.store.clients import Client


@dataclass(frozen=True)
class ClientLine:
    """An OAuth client, whose it is, what it proves itself by, and what it may do."""

    id: str
    party: str
    methods: tuple[str, ...]
    scope: str
    created_at: datetime
    revoked_at: datetime | None


def client_lines(core: Core) -> list[ClientLine]:
    """By id, the revoked ones too."""
    with core.database.read() as connection:
        names = party_names(connection)
        return [client_line(one, names) for one in clients.clients(connection)]


def client_line(one: Client, names: Mapping[str, str]) -> ClientLine:
    """Of one; `names` are those of the parties."""
    return ClientLine(one.id, names[one.party_id], one.proof.methods, one.scope, one.created_at, one.revoked_at)
