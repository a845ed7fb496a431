"""Who makes a request."""

from dataclasses import dataclass

from gateway.domain.party import Party
from gateway.domain.scopes import NOTHING, Scopes


@dataclass(frozen=True)
class Caller:
    """The OAuth client, the party it acts for, what its token may do at the edge, and the address it calls from."""

    client_id: str
    party: Party
    scopes: Scopes = NOTHING
    address: str = ""
