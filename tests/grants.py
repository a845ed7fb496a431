"""The grants that there are, and what became of one."""

from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.domain.delivery import EgressGrant, ReadGrant
from gateway.store.tables import decision, egress_grant, read_grant


def is_cancelled(connection: Connection, grant: EgressGrant) -> bool:
    """Once a revocation, or a person, has cancelled it."""
    query = select(egress_grant.c.cancelled_at).where(egress_grant.c.id == grant.id)
    return connection.execute(query).scalar() is not None


def read_grants(connection: Connection, case_id: str) -> list[ReadGrant]:
    """What was shown of the case, oldest first."""
    fields = [read_grant.c[name] for name in ReadGrant.__dataclass_fields__]
    query = select(*fields).where(read_grant.c.case_id == case_id).order_by(read_grant.c.granted_at, read_grant.c.id)
    return [ReadGrant(**row._mapping) for row in connection.execute(query)]


def read_decisions(connection: Connection, case_id: str) -> list[Row[Any]]:
    """What was decided on reads of the case, oldest first."""
    query = select(decision).where(decision.c.case_id == case_id, decision.c.delivery_id.is_(None))
    return list(connection.execute(query.order_by(decision.c.decided_at, decision.c.id)).all())
