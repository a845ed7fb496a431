"""Whom an order names reviews its case: a later version moves the case, as long as nothing has been disclosed.

What was to leave for the reviewer before is cancelled with its grants, and goes on with its payload should the case
come back. Every grant is committed under the lock of the case row, so it is before the move, which is refused then, or
after it, and finds its delivery cancelled.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.service_request import order_from_fhir
from gateway.domain.case import CLOSING_STATUS, Order
from gateway.domain.delivery import ENDED, DeliveryState, Flow
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Party, PartyKind
from gateway.domain.record import Case, Delivery
from gateway.domain.resource import StoredResource
from gateway.services.egress import enqueue_next
from gateway.services.second_look import look_again
from gateway.store import audit, cases, deliveries, parties, resources, reviews

ASSIGNED, REASSIGNED = "case.assign", "case.reassign"
_ENDED_BY_ORDER, _ENDED_BY_MOVE = "delivery.cancel-by-order", "delivery.cancel-by-reassign"
_STOPS = (_ENDED_BY_ORDER, _ENDED_BY_MOVE, "delivery.cancel")
_HELD_BY = "held_by"
_TOO_LATE = (
    "something of this case has been disclosed to its reviewer already; "
    "to have another one, end this order and send a new one, or ask the centre"
)


@dataclass(frozen=True)
class Cause:
    """By whom and when something changes whom a case goes to, and what an audit row says of it beside."""

    actor: str
    at: datetime
    details: dict[str, str]


def cause_of(order: Order, stored: StoredResource) -> Cause:
    """A version of the order."""
    return Cause(stored.client_id, stored.stored_at, {"order": order.status})


def named_reviewer(connection: Connection, clinic_id: str, order: Order) -> Party | None:
    """The one reviewer whom the order names; None where it names nobody who is known, or several."""
    identifiers = list(order.performer_identifiers)
    for reference in order.performer_references:
        identifiers += resources.identifiers(connection, clinic_id, reference.rpartition("/")[2])
    return parties.party_by_identifier(connection, identifiers, PartyKind.REVIEWER)


def follow(connection: Connection, case: Case, order: Order, stored: StoredResource) -> Case:
    """The case with the reviewer whom this version names; the caller has locked it.

    A version that ends the order moves nothing. Raises Unprocessable where it is too late.
    """
    if order.status in CLOSING_STATUS:
        return case
    reviewer_id = _reviewer_of(connection, case, order, stored)
    if reviewer_id == case.reviewer_id:
        return case
    if case.reviewer_id is not None and _is_disclosed(connection, case, case.reviewer_id):
        raise Unprocessable(_TOO_LATE, at="ServiceRequest.performer")
    cause, moved = cause_of(order, stored), replace(case, reviewer_id=reviewer_id)
    _cancel(connection, case, cause, _ENDED_BY_MOVE, "the order names another reviewer, nothing more goes to this one")
    cases.set_reviewer(connection, case.id, reviewer_id)
    details = {"from": case.reviewer_id or "", "to": reviewer_id or ""}
    audit.record_of_case(connection, case.id, REASSIGNED, at=cause.at, actor=cause.actor, details=details)
    revive_disclosures(connection, moved, cause)
    look_again(connection, moved, now=cause.at)
    return moved


def _reviewer_of(connection: Connection, case: Case, order: Order, stored: StoredResource) -> str | None:
    """The id of whoever reviews the case by this version.

    Whom the order names, where it names one who is known. A coordinator's choice stays where the order says nothing new
    of it: it names the same performers as before, or none.
    """
    named = named_reviewer(connection, stored.party_id, order)
    performers = _performers(order)
    is_said_anew = performers != _performers_before(connection, stored)
    is_chosen_here = case.reviewer_id is not None and _is_chosen_by_person(connection, case)
    if is_chosen_here and not (is_said_anew and performers):
        return case.reviewer_id
    if named is None:
        return None if is_said_anew else case.reviewer_id
    return named.id


def _performers(order: Order) -> set[object]:
    return {*order.performer_references, *order.performer_identifiers}


def _performers_before(connection: Connection, stored: StoredResource) -> set[object]:
    before = resources.version(connection, stored.party_id, stored.type, stored.id, stored.version - 1)
    return _performers(order_from_fhir(before.content, is_valid=True))


def _is_chosen_by_person(connection: Connection, case: Case) -> bool:
    rows = audit.of_case(connection, case.id, actions=(ASSIGNED, REASSIGNED))
    return bool(rows) and rows[-1].action == ASSIGNED


def _is_disclosed(connection: Connection, case: Case, reviewer_id: str) -> bool:
    """Whether anything has left for the reviewer, or may have: granted to be sent, or to be read."""
    if reviews.has_read(connection, case.id, reviewer_id):
        return True
    return any(deliveries.has_been_granted(connection, one.id) for one in _disclosures(connection, case))


def _disclosures(connection: Connection, case: Case) -> list[Delivery]:
    """To the reviewer of the case."""
    nodes = {one.id for one in parties.endpoints(connection, party_id=case.reviewer_id)} if case.reviewer_id else set()
    found = deliveries.listed(connection, case_id=case.id)
    return [one for one in found if one.kind.flow is Flow.DISCLOSE_TO_REVIEWER and one.endpoint_id in nodes]


def cancel_disclosures(connection: Connection, case: Case, cause: Cause) -> None:
    """The order has ended: what was not sent to the reviewer is cancelled with its grants."""
    why = f"the order is {cause.details['order']}, nothing more is disclosed"
    _cancel(connection, case, cause, _ENDED_BY_ORDER, why)


def _cancel(connection: Connection, case: Case, cause: Cause, action: str, why: str) -> None:
    for delivery in _disclosures(connection, case):
        if delivery.state in ENDED:
            continue
        deliveries.cancel_grants(connection, delivery.id, cause.at)
        deliveries.cancel(connection, delivery.id, now=cause.at, why=f"a person: {why}")
        held = {} if delivery.stopped_by is None else {_HELD_BY: delivery.stopped_by}
        _record(connection, delivery, action, cause, **held)


def revive_disclosures(connection: Connection, case: Case, cause: Cause) -> None:
    """What orders had cancelled of what goes to the case's reviewer, and no person since, goes on with its payload.

    Consent is decided anew. What a person had held back stays held.
    """
    last = {row.subject: row for row in audit.of_case(connection, case.id, actions=_STOPS)}
    for delivery in _disclosures(connection, case):
        cancelled = last.get(f"delivery/{delivery.id}")
        is_by_order = cancelled is not None and cancelled.action in (_ENDED_BY_ORDER, _ENDED_BY_MOVE)
        if cancelled is None or not is_by_order or delivery.state is not DeliveryState.CANCELLED:
            continue
        revived = _revived(cancelled.details.get(_HELD_BY))
        deliveries.change(connection, delivery.id, now=cause.at, last_error="", **revived)
        enqueue_next(connection, delivery, now=cause.at)
        _record(connection, delivery, "delivery.revive-by-order", cause)


def _revived(held_by: str | None) -> dict[str, object]:
    if held_by is None:
        return {"state": DeliveryState.PENDING, "stopped_by": None, "waits_for": ""}
    why = f"{held_by}: held it back before the order ended"
    return {"state": DeliveryState.HELD, "stopped_by": held_by, "waits_for": why}


def _record(connection: Connection, delivery: Delivery, action: str, cause: Cause, **more: str) -> None:
    details = {**cause.details, **more}
    audit.record_of_delivery(connection, delivery, action, at=cause.at, actor=cause.actor, details=details)
