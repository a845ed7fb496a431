"""What a person can do with a delivery that does not move."""

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict
from gateway.services import egress
from gateway.services.core import Core
from gateway.store import audit, cases, deliveries

STUCK = (DeliveryState.FAILED, DeliveryState.AMBIGUOUS, DeliveryState.PENDING, DeliveryState.HELD)


def retry(core: Core, delivery_id: str, *, actor: str) -> None:
    """Try again now; consent is decided anew. Raises NotFound, and Conflict for one that has ended."""
    with core.database.write("delivery.retry") as connection:
        cases.lock(connection, deliveries.by_id(connection, delivery_id).case_id)
        now, delivery = core.now(), deliveries.by_id(connection, delivery_id)
        if delivery.state not in STUCK:
            raise Conflict(f"delivery {delivery_id} is {delivery.state}")
        deliveries.change(connection, delivery.id, now=now, state=DeliveryState.PENDING, waits_for="", last_error="")
        egress.enqueue_next(connection, delivery, now=now)
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="delivery.retry",
            case_id=delivery.case_id,
            subject=f"delivery/{delivery.id}",
        )


def cancel(core: Core, delivery_id: str, *, actor: str) -> None:
    """Stop it for good; what runs under a grant ends. Raises NotFound, and Conflict for one that has ended."""
    with core.database.write("delivery.cancel") as connection:
        cases.lock(connection, deliveries.by_id(connection, delivery_id).case_id)
        now, delivery = core.now(), deliveries.by_id(connection, delivery_id)
        if delivery.state not in STUCK:
            raise Conflict(f"delivery {delivery_id} is {delivery.state}")
        deliveries.cancel_grants(connection, delivery.id, now)
        deliveries.change(
            connection, delivery.id, now=now, state=DeliveryState.CANCELLED, waits_for=f"{actor}: cancelled it"
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="delivery.cancel",
            case_id=delivery.case_id,
            subject=f"delivery/{delivery.id}",
        )
