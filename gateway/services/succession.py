"""Versions of one report to one destination: none overtakes an earlier one, and none comes after a later one."""

from sqlalchemy import Connection

from gateway.domain.delivery import UNSENT, DeliveryState, Flow
from gateway.domain.errors import NotYet
from gateway.domain.record import Delivery
from gateway.store import deliveries


def require_turn(connection: Connection, delivery: Delivery) -> None:
    """Raise NotYet while an earlier version has not ended. The caller has locked the case."""
    if any(one.state in UNSENT for one in deliveries.earlier_versions(connection, delivery)):
        raise NotYet("an earlier version is still on its way to the same destination")


def successor(connection: Connection, delivery: Delivery) -> Delivery | None:
    """The last of the later versions that are at the destination, or may be. The caller has locked the case.

    None for what goes to a reviewer: that is added to what went before, and replaces nothing.
    """
    if delivery.kind.flow is not Flow.RETURN_TO_CLINIC:
        return None
    later = deliveries.later_versions(connection, delivery)
    return next((one for one in reversed(later) if _may_be_there(connection, one)), None)


def _may_be_there(connection: Connection, delivery: Delivery) -> bool:
    """False before the first grant, and for what was refused without a doubt."""
    if delivery.state in (DeliveryState.DELIVERED, DeliveryState.AMBIGUOUS) or delivery.is_ambiguous:
        return True
    return delivery.state is not DeliveryState.FAILED and deliveries.has_been_granted(connection, delivery.id)
