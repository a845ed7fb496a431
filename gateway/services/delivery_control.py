"""What a person can do with a delivery that does not move."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Conflict
from gateway.domain.record import Delivery
from gateway.domain.work import next_job
from gateway.services import consent_requests, egress
from gateway.services.core import Core
from gateway.store import audit, breakers, cases, deliveries, outbox, parties

_FOR_PERSON = (DeliveryState.FAILED, DeliveryState.AMBIGUOUS)
_STUCK = (*_FOR_PERSON, DeliveryState.PENDING, DeliveryState.HELD)


def retry(core: Core, delivery_id: str, *, actor: str) -> None:
    """Try again now; consent is decided anew. What may be there already is looked for before it is sent.

    Raises NotFound, and Conflict for one that has ended, or ends now because a later version is there, or may be.
    """
    with core.database.write("delivery.retry") as connection:
        delivery, now = _locked(connection, delivery_id), core.now()
        if delivery.state not in _STUCK:
            raise Conflict(f"delivery {delivery_id} is {delivery.state}")
        if delivery.stopped_by is not None:
            raise Conflict(
                f"{delivery.stopped_by} holds it back; let it go on: consilium delivery release {delivery_id}"
            )
        superseded = egress.end_superseded(connection, delivery, now=now)
        if not superseded:
            again = {"state": DeliveryState.PENDING, "waits_for": "", "last_error": ""}
            deliveries.change(connection, delivery.id, now=now, **again)
            _set_going(connection, delivery, now)
            audit.record_of_delivery(connection, delivery, "delivery.retry", at=now, actor=actor)
    if superseded:
        raise Conflict(superseded)


def retry_failed(core: Core, endpoint_name: str, *, actor: str) -> list[str]:
    """The same for everything to that endpoint that waits for a person; gives the ids. Raises NotFound for it."""
    with core.database.read() as connection:
        endpoint = parties.endpoint_by_name(connection, endpoint_name)
        stuck = deliveries.listed(connection, endpoint_id=endpoint.id, states=_FOR_PERSON)
    tried = []
    for one in stuck:
        try:
            retry(core, one.id, actor=actor)
        except Conflict:  # it has gone on meanwhile, or a later version has arrived
            continue
        tried.append(one.id)
    return tried


def resend(core: Core, delivery_id: str, *, actor: str) -> None:
    """A person has looked at the destination, and it is not there: send it anew.

    Raises NotFound, and Conflict for one whose outcome is not in doubt.
    """
    with core.database.write("delivery.resend") as connection:
        delivery = _ambiguous(connection, delivery_id)
        now = core.now()
        anew = {"state": DeliveryState.PENDING, "waits_for": "", "is_ambiguous": False, "sent_anew_at": now}
        deliveries.change(connection, delivery.id, now=now, **anew)
        _set_going(connection, delivery, now)
        audit.record_of_delivery(connection, delivery, "delivery.resend", at=now, actor=actor)


def confirm(core: Core, delivery_id: str, *, actor: str) -> None:
    """A person has looked at the destination, and it is there: it counts as delivered.

    Raises NotFound, and Conflict for one whose outcome is not in doubt.
    """
    with core.database.write("delivery.confirm") as connection:
        delivery = _ambiguous(connection, delivery_id)
        now = core.now()
        receipt = Receipt(now, "confirmed", "", delivery.payload_sha256, f"seen at the destination by {actor}")
        deliveries.set_receipt(connection, delivery.id, receipt)
        egress.arrived(connection, delivery, now=now)
        audit.record_of_delivery(connection, delivery, "delivery.confirmed", at=now, actor=actor)


def hold(core: Core, delivery_id: str, reason: str, *, actor: str) -> None:
    """Keep it back until `release`, whatever the consents say; what runs under a grant ends.

    Raises NotFound, and Conflict for one that has ended or waits for a person already.
    """
    with core.database.write("delivery.hold") as connection:
        delivery, now = _locked(connection, delivery_id), core.now()
        if delivery.state not in (DeliveryState.PENDING, DeliveryState.HELD) or delivery.stopped_by is not None:
            is_what = f"held back by {delivery.stopped_by} already" if delivery.stopped_by else delivery.state
            raise Conflict(f"delivery {delivery_id} is {is_what}")
        deliveries.cancel_grants(connection, delivery.id, now)
        held = {"state": DeliveryState.HELD, "stopped_by": actor, "waits_for": f"{actor}: {reason}"}
        deliveries.change(connection, delivery.id, now=now, **held)
        audit.record_of_delivery(connection, delivery, "delivery.hold", at=now, actor=actor)


def release(core: Core, delivery_id: str, *, actor: str) -> None:
    """Let it go on; consent is decided anew. Raises NotFound, and Conflict for one that no person holds back."""
    with core.database.write("delivery.release") as connection:
        delivery, now = _locked(connection, delivery_id), core.now()
        if delivery.state is not DeliveryState.HELD or delivery.stopped_by is None:
            raise Conflict(f"nobody holds delivery {delivery_id} back; it is {delivery.state}")
        going = {"state": DeliveryState.PENDING, "stopped_by": None, "waits_for": ""}
        deliveries.change(connection, delivery.id, now=now, **going)
        _set_going(connection, delivery, now)
        audit.record_of_delivery(connection, delivery, "delivery.release", at=now, actor=actor)


def cancel(core: Core, delivery_id: str, *, actor: str) -> None:
    """Stop it for good; what runs under a grant ends. Raises NotFound, and Conflict for one that has ended."""
    with core.database.write("delivery.cancel") as connection:
        delivery, now = _locked(connection, delivery_id), core.now()
        if delivery.state not in _STUCK:
            raise Conflict(f"delivery {delivery_id} is {delivery.state}")
        deliveries.cancel_grants(connection, delivery.id, now)
        deliveries.cancel(connection, delivery.id, now=now, why=f"{actor}: cancelled it")
        consent_requests.ended(connection, delivery, now=now)
        egress.give_turn(connection, delivery, now=now)
        audit.record_of_delivery(connection, delivery, "delivery.cancel", at=now, actor=actor)


def _locked(connection: Connection, delivery_id: str) -> Delivery:
    cases.lock(connection, deliveries.by_id(connection, delivery_id).case_id)
    return deliveries.by_id(connection, delivery_id)


def _set_going(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """At once, also where its destination was left alone: a person has looked after it. Its deadline begins anew."""
    breakers.look_now(connection, delivery.endpoint_id, now)
    egress.enqueue_next(connection, delivery, now=now)
    outbox.begin_anew(connection, *next_job(delivery), now=now)


def _ambiguous(connection: Connection, delivery_id: str) -> Delivery:
    delivery = _locked(connection, delivery_id)
    if delivery.state is not DeliveryState.AMBIGUOUS:
        raise Conflict(f"delivery {delivery_id} is {delivery.state}, not {DeliveryState.AMBIGUOUS}")
    return delivery
