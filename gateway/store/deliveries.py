"""Deliveries, their items, the decisions they rest on, and the grants under which they leave."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, insert, select, update

from gateway.domain.delivery import DeliveryKind, DeliveryState, EgressGrant, Flow, Receipt
from gateway.domain.errors import NotFound
from gateway.domain.ids import new_id
from gateway.domain.record import FOUND_THERE, Delivery, DeliveryItem
from gateway.store.tables import decision, delivery, delivery_item, egress_grant

_FIELDS = tuple(delivery.c[name] for name in Delivery.__dataclass_fields__)

# Built once: these run for every sending.
_BY_ID = select(*_FIELDS).where(delivery.c.id == bindparam("of_delivery"))
_OF_CASE = (
    select(*_FIELDS).where(delivery.c.case_id == bindparam("of_case")).order_by(delivery.c.created_at, delivery.c.id)
)
_RECEIPTS = select(delivery.c.id, delivery.c.receipt).where(delivery.c.case_id == bindparam("of_case"))
_TO_STATE = bindparam("to_state", type_=delivery.c.state.type)
_IS_SAME = delivery.c.state == func.coalesce(_TO_STATE, delivery.c.state)
_NOW = bindparam("now", type_=delivery.c.changed_at.type)
_CHANGE = (
    update(delivery)
    .where(delivery.c.id == bindparam("of_delivery"))
    .values(changed_at=case((_IS_SAME, delivery.c.changed_at), else_=_NOW))
)
"""Sets what else is handed to it, too."""
_ADD_DECISION = insert(decision)
_ADD_GRANT = insert(egress_grant)
_GRANTED = select(egress_grant.c.id).where(egress_grant.c.delivery_id == bindparam("of_delivery")).limit(1)


def add(connection: Connection, new: Delivery) -> None:
    """Insert one delivery."""
    connection.execute(insert(delivery).values(asdict(new)))


def by_id(connection: Connection, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    row = connection.execute(_BY_ID, {"of_delivery": delivery_id}).one_or_none()
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    return _delivery(row)


def by_business_key(connection: Connection, business_key: str) -> Delivery | None:
    """The one delivery of that payload to that endpoint."""
    row = connection.execute(select(*_FIELDS).where(delivery.c.business_key == business_key)).one_or_none()
    return None if row is None else _delivery(row)


def listed(
    connection: Connection,
    *,
    case_id: str | None = None,
    subject_id: str | None = None,
    endpoint_id: str | None = None,
    states: Sequence[DeliveryState] = (),
    newest: int | None = None,
) -> list[Delivery]:
    """Oldest first; with `newest` only so many, newest first."""
    query = select(*_FIELDS).order_by(delivery.c.created_at, delivery.c.id)
    if newest is not None:
        query = select(*_FIELDS).order_by(delivery.c.created_at.desc(), delivery.c.id).limit(newest)
    wanted = ((delivery.c.case_id, case_id), (delivery.c.subject_id, subject_id), (delivery.c.endpoint_id, endpoint_id))
    for column, value in wanted:
        query = query if value is None else query.where(column == value)
    if states:
        query = query.where(delivery.c.state.in_(states))
    return [_delivery(row) for row in connection.execute(query)]


def earlier_versions(connection: Connection, of: Delivery) -> list[Delivery]:
    """Deliveries of the same subject to the same endpoint with a lower number in their business key, lowest first."""
    return [one for number, one in _numbered(connection, of) if number < version_number(of)]


def later_versions(connection: Connection, of: Delivery) -> list[Delivery]:
    """The same with a higher number, lowest first."""
    return [one for number, one in _numbered(connection, of) if number > version_number(of)]


def _numbered(connection: Connection, of: Delivery) -> list[tuple[int, Delivery]]:
    subject = of.business_key.rpartition(":")[0]
    of_case = (_delivery(row) for row in connection.execute(_OF_CASE, {"of_case": of.case_id}))
    same = [one for one in of_case if one.business_key.rpartition(":")[0] == subject]
    return sorted(((version_number(one), one) for one in same), key=lambda pair: pair[0])


def version_number(of: Delivery) -> int:
    """The one in its business key: of a report its version, of a study how many deliveries of it went before."""
    return int(of.business_key.rpartition(":")[2])


def earlier_receipts(connection: Connection, of: Delivery) -> list[dict[str, Any]]:
    """The receipts of those, oldest first."""
    earlier = earlier_versions(connection, of)
    kept = receipts(connection, of.case_id) if earlier else {}
    return [kept[one.id] for one in earlier if one.id in kept]


def change(connection: Connection, delivery_id: str, *, now: datetime, **values: object) -> None:
    """Set columns of one delivery; `changed_at` is since when it has been in its state."""
    is_it = {"of_delivery": delivery_id, "to_state": values.get("state"), "now": now}
    connection.execute(_CHANGE, is_it | values)


def give_up(connection: Connection, delivery_id: str, *, now: datetime, error: str, **values: object) -> None:
    """Set these columns of a delivery that is still pending when its work is dead; an administrator has to look."""
    is_it = (delivery.c.id == delivery_id) & (delivery.c.state == DeliveryState.PENDING)
    asks = {"waits_for": f"an administrator: {error}", "last_error": error, "changed_at": now}
    connection.execute(update(delivery).where(is_it).values(asks | values))


def cancel(connection: Connection, delivery_id: str, *, now: datetime, why: str) -> None:
    """Nothing more is sent of it; `why` begins with who has stopped it."""
    ended = {"state": DeliveryState.CANCELLED, "waits_for": why, "stopped_by": None}
    change(connection, delivery_id, now=now, **ended)


def set_receipt(connection: Connection, delivery_id: str, receipt: Receipt, **values: object) -> None:
    """Delivered, with what the destination answered; sets other columns, too."""
    kept = asdict(receipt) | {"at": receipt.at.isoformat()}
    done = {"state": DeliveryState.DELIVERED, "receipt": kept, "waits_for": "", "last_error": ""}
    no_more = {"is_ambiguous": False, "stopped_by": None}
    change(connection, delivery_id, now=receipt.at, **done, **no_more, **values)


def receipts(connection: Connection, case_id: str) -> dict[str, dict[str, Any]]:
    """Delivery id -> receipt, of one case."""
    return {row.id: row.receipt for row in connection.execute(_RECEIPTS, {"of_case": case_id}) if row.receipt}


def add_items(connection: Connection, items: Sequence[DeliveryItem]) -> None:
    """The objects of a delivery."""
    if items:
        connection.execute(insert(delivery_item), [asdict(item) for item in items])


def items(connection: Connection, delivery_id: str) -> list[DeliveryItem]:
    """In sending order."""
    query = select(delivery_item).where(delivery_item.c.delivery_id == delivery_id)
    rows = connection.execute(query.order_by(delivery_item.c.position))
    return [DeliveryItem(**row._mapping) for row in rows]


def set_item_status(connection: Connection, item: DeliveryItem, status: str, now: datetime) -> None:
    """What the destination answered for this object."""
    _change_item(connection, item, status=status, sent_at=now, last_error="")


def set_item_error(connection: Connection, item: DeliveryItem, error: str) -> None:
    """How this object failed to be delivered."""
    _change_item(connection, item, last_error=error)


def set_item_found(connection: Connection, item: DeliveryItem, now: datetime) -> None:
    """The destination has this object, although its answer was lost; this was no attempt to send it."""
    _change_item(connection, item, status=FOUND_THERE, sent_at=now, last_error="", attempts=item.attempts)


def _change_item(connection: Connection, item: DeliveryItem, **values: object) -> None:
    """At the end of one attempt, unless they say that it was none."""
    is_it = (delivery_item.c.delivery_id == item.delivery_id) & (delivery_item.c.position == item.position)
    attempts = delivery_item.c.attempts + 1
    connection.execute(update(delivery_item).where(is_it).values({"attempts": attempts} | values))


def add_decision(
    connection: Connection,
    *,
    case_id: str,
    delivery_id: str | None,
    flow: Flow,
    stage: str,
    outcome: str,
    reasons: Sequence[str],
    consents: Sequence[tuple[str, int]],
    payload_sha256: str,
    valid_until: datetime | None,
    now: datetime,
) -> str:
    """Keep a consent decision with the versions it rests on; gives its id."""
    decision_id = new_id()
    row: dict[str, object] = {
        "id": decision_id,
        "case_id": case_id,
        "delivery_id": delivery_id,
        "flow": flow,
        "stage": stage,
    }
    row |= {"outcome": outcome, "reasons": list(reasons), "consents": [list(pair) for pair in consents]}
    row |= {"payload_sha256": payload_sha256, "valid_until": valid_until, "decided_at": now}
    connection.execute(_ADD_DECISION, row)
    return decision_id


def decisions(connection: Connection, case_id: str) -> list[Row[Any]]:
    """On the deliveries of one case, oldest first; not the many on what is read of it."""
    query = select(decision).where(decision.c.case_id == case_id, decision.c.delivery_id.is_not(None))
    return list(connection.execute(query.order_by(decision.c.decided_at, decision.c.id)).all())


def last_decision(connection: Connection, delivery_id: str) -> Row[Any] | None:
    """The latest on that delivery; None before the first."""
    query = select(decision).where(decision.c.delivery_id == delivery_id)
    return connection.execute(query.order_by(decision.c.decided_at.desc(), decision.c.id.desc()).limit(1)).first()


def decisions_in(connection: Connection, case_id: str, states: Sequence[DeliveryState]) -> list[Row[Any]]:
    """On the case's deliveries in these states, oldest first; not the many on what is read of it."""
    concerned = select(delivery.c.id).where(delivery.c.case_id == case_id, delivery.c.state.in_(states))
    query = select(decision).where(decision.c.delivery_id.in_(concerned))
    return list(connection.execute(query.order_by(decision.c.decided_at, decision.c.id)).all())


def add_grant(connection: Connection, grant: EgressGrant, *, decision_id: str, now: datetime) -> None:
    """The permission to send; its commit is the instant of disclosure."""
    row = asdict(grant) | {"decision_id": decision_id, "granted_at": now}
    connection.execute(_ADD_GRANT, row)


def has_been_granted(connection: Connection, delivery_id: str) -> bool:
    """True once any grant was committed: from then on something may have left."""
    return connection.execute(_GRANTED, {"of_delivery": delivery_id}).scalar() is not None


def grant_times(connection: Connection, delivery_id: str) -> list[datetime]:
    """When the delivery was allowed to leave, oldest first."""
    query = select(egress_grant.c.granted_at).where(egress_grant.c.delivery_id == delivery_id)
    return list(connection.execute(query.order_by(egress_grant.c.granted_at)).scalars())


def granting_consents(connection: Connection, delivery_id: str) -> set[str]:
    """The ids of the consents under which anything of the delivery may have left."""
    granted = select(decision.c.consents).join(egress_grant, egress_grant.c.decision_id == decision.c.id)
    rows = connection.execute(granted.where(egress_grant.c.delivery_id == delivery_id))
    return {consent_id for row in rows for consent_id, _ in row.consents}


def cancel_grants(connection: Connection, delivery_id: str, now: datetime) -> None:
    """Stop what still runs under any grant of the delivery."""
    is_open = and_(egress_grant.c.delivery_id == delivery_id, egress_grant.c.cancelled_at.is_(None))
    connection.execute(update(egress_grant).where(is_open).values(cancelled_at=now))


def _delivery(row: Row[Any]) -> Delivery:
    values = dict(row._mapping)
    return Delivery(**values | {"kind": DeliveryKind(row.kind), "state": DeliveryState(row.state)})
