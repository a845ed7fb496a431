"""What a reviewer may ask about beside the assigned cases: what of them has arrived; and what was shown of them."""

from dataclasses import asdict

from sqlalchemy import Connection, bindparam, insert, select

from gateway.domain.case import CaseState
from gateway.domain.delivery import DeliveryKind, DeliveryState, ReadGrant
from gateway.domain.record import Delivery
from gateway.store import deliveries
from gateway.store.tables import case, delivery, endpoint, read_grant

_ARRIVED = (
    select(delivery.c.id)
    .join(case, case.c.id == delivery.c.case_id)
    .join(endpoint, endpoint.c.id == delivery.c.endpoint_id)
    .where(
        case.c.reviewer_id == bindparam("of_reviewer"),
        case.c.state == CaseState.OPEN,
        endpoint.c.party_id == case.c.reviewer_id,
        delivery.c.kind == bindparam("of_kind"),
        delivery.c.state == DeliveryState.DELIVERED,
    )
    .order_by(delivery.c.created_at, delivery.c.id)
)


def arrived(connection: Connection, reviewer_id: str, kind: DeliveryKind) -> list[Delivery]:
    """What of the reviewer's open cases is at their own node, oldest first."""
    ids = connection.execute(_ARRIVED, {"of_reviewer": reviewer_id, "of_kind": kind}).scalars().all()
    return [deliveries.by_id(connection, one) for one in ids]


def add_read_grant(connection: Connection, grant: ReadGrant, *, decision_id: str) -> None:
    """The answer may go out once this is committed."""
    connection.execute(insert(read_grant).values(asdict(grant) | {"decision_id": decision_id}))


def read_grants(connection: Connection, case_id: str) -> list[ReadGrant]:
    """Of one case, oldest first."""
    fields = [read_grant.c[name] for name in ReadGrant.__dataclass_fields__]
    query = select(*fields).where(read_grant.c.case_id == case_id).order_by(read_grant.c.granted_at, read_grant.c.id)
    return [ReadGrant(**row._mapping) for row in connection.execute(query)]
