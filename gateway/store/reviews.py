"""What a reviewer may ask about beside the assigned cases: what of them has arrived; and what was shown of them."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, bindparam, cast, func, insert, select

from gateway.domain.case import CaseState
from gateway.domain.delivery import DeliveryKind, DeliveryState, ReadGrant
from gateway.domain.errors import NotFound
from gateway.domain.record import Delivery
from gateway.store import deliveries
from gateway.store.tables import case, decision, delivery, endpoint, read_grant

_ORDER = "ServiceRequest/"
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


def read_grant_by_id(connection: Connection, grant_id: str) -> ReadGrant:
    """Raises NotFound."""
    row = connection.execute(_grants().where(read_grant.c.id == grant_id)).one_or_none()
    if row is None:
        raise NotFound(f"no grant of a read {grant_id}")
    return ReadGrant(**row._mapping)


def has_read(connection: Connection, case_id: str, party_id: str) -> bool:
    """Whether anything of the case was ever granted to that party to be read."""
    is_it = and_(read_grant.c.case_id == case_id, read_grant.c.party_id == party_id)
    return connection.execute(select(read_grant.c.id).where(is_it).limit(1)).scalar() is not None


def orders_read(connection: Connection, case_id: str) -> list[ReadGrant]:
    """The first grant of each order that a party read of the case, oldest first; they may read it every minute."""
    same = (read_grant.c.party_id, read_grant.c.subject)
    in_turn = func.row_number().over(partition_by=same, order_by=(read_grant.c.granted_at, read_grant.c.id))
    is_order = and_(read_grant.c.case_id == case_id, read_grant.c.subject.startswith(_ORDER))
    numbered = _grants().add_columns(in_turn.label("turn")).where(is_order).subquery()
    fields = [numbered.c[name] for name in ReadGrant.__dataclass_fields__]
    first = select(*fields).where(numbered.c.turn == 1).order_by(numbered.c.granted_at, numbered.c.id)
    return [ReadGrant(**row._mapping) for row in connection.execute(first)]


def grant_times(connection: Connection, read: ReadGrant) -> list[datetime]:
    """When the same was granted to the same party, oldest first."""
    query = select(read_grant.c.granted_at).where(_is_same(read))
    return list(connection.execute(query.order_by(read_grant.c.granted_at)).scalars())


def granting_consents(connection: Connection, read: ReadGrant) -> set[str]:
    """The ids of the consents under which the same was granted to the same party."""
    rested_on = select(cast(decision.c.consents, Text)).join(read_grant, read_grant.c.decision_id == decision.c.id)
    texts = connection.execute(rested_on.where(_is_same(read)).distinct()).scalars()
    return {consent_id for text in texts for consent_id, _ in json.loads(text)}


def _grants() -> Select[Any]:
    return select(*(read_grant.c[name] for name in ReadGrant.__dataclass_fields__))


def _is_same(read: ReadGrant) -> ColumnElement[bool]:
    is_it = [read_grant.c[name] == getattr(read, name) for name in ("case_id", "party_id", "subject")]
    return and_(*is_it)
