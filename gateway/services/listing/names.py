"""What parties and endpoints are called in lists, by their ids."""

from sqlalchemy import Connection

from gateway.store import parties


def party_names(connection: Connection) -> dict[str, str]:
    """Every party."""
    return {party.id: party.name for party in parties.parties(connection)}


def endpoint_names(connection: Connection) -> dict[str, str]:
    """Every endpoint."""
    return {endpoint.id: endpoint.name for endpoint in parties.endpoints(connection)}
