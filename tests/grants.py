"""What became of a grant."""

from sqlalchemy import Connection, select

from gateway.domain.delivery import EgressGrant
from gateway.store.tables import egress_grant


def is_cancelled(connection: Connection, grant: EgressGrant) -> bool:
    """Once a revocation, or a person, has cancelled it."""
    query = select(egress_grant.c.cancelled_at).where(egress_grant.c.id == grant.id)
    return connection.execute(query).scalar() is not None
