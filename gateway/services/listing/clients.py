"""The OAuth clients there are."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.store import tokens


@dataclass(frozen=True)
class ClientLine:
    """An OAuth client and whose it is."""

    id: str
    party: str
    created_at: datetime
    revoked_at: datetime | None


def client_lines(core: Core) -> list[ClientLine]:
    """By id, the revoked ones too."""
    with core.database.read() as connection:
        names = party_names(connection)
        return [
            ClientLine(one.id, names[one.party_id], one.created_at, one.revoked_at)
            for one in tokens.clients(connection)
        ]
