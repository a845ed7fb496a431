"""De-identified objects to the reviewer's DICOM node, one C-STORE each, every status kept."""

from contextlib import suppress

from dicom_node.status import DUPLICATE_SOP_INSTANCE, require_delivered
from gateway.domain.delivery import Receipt
from gateway.domain.errors import Ambiguous, Full, GatewayError, NotAsked, Transient
from gateway.domain.hooks import reach
from gateway.domain.payload import payload_sha256
from gateway.domain.record import DeliveryItem
from gateway.services.core import Core
from gateway.services.outside import ObjectSender, Outside
from gateway.services.sending import Sending, blob_to_send
from gateway.store import deliveries, parties


def send_to_reviewer(core: Core, sending: Sending, outside: Outside) -> Receipt:
    """Send what the node has not acknowledged yet. Raises as `send`.

    The objects carry UIDs that never change, so sending one again leaves one copy there.
    """
    delivery = sending.delivery
    with core.database.read() as connection:
        node = parties.endpoint_by_id(connection, delivery.endpoint_id)
        items = deliveries.items(connection, delivery.id)
    if node.dicom is None:
        raise NotAsked("the reviewer's endpoint is no DICOM node; register one")
    payload = payload_sha256(items)
    left = [item for item in items if item.status is None]
    if left:
        contexts = frozenset((item.sop_class_uid, item.transfer_syntax_uid) for item in left)
        with outside.open_sender(node.dicom, contexts) as sender:
            for item in left:
                _send_one(core, sending, sender, item, payload)
    note = f"{len(items)} of {len(items)} objects acknowledged"
    return Receipt(core.now(), "0x0000", node.dicom.ae_title, payload, note)


def _send_one(core: Core, sending: Sending, sender: ObjectSender, item: DeliveryItem, payload: str) -> None:
    content = blob_to_send(core, item.blob_sha256)
    sending.permission.require(payload)
    reach("reviewer.before_send")
    try:
        status = sender.send(content)
        reach("reviewer.after_send")
        if status != DUPLICATE_SOP_INSTANCE:  # only we can derive that UID, so the copy there is ours
            require_delivered(status)
    except GatewayError as exc:
        with suppress(Full, Transient), core.database.write("delivery.item") as connection:  # the error itself counts
            deliveries.set_item_error(connection, item, f"{type(exc).__name__}: {exc}")
        raise
    try:
        with core.database.write("delivery.item") as connection:
            deliveries.set_item_status(connection, item, f"0x{status:04X}", core.now())
    except (Full, Transient) as exc:  # the object is there all the same
        raise Ambiguous(f"what became of an object that was sent could not be noted: {exc}") from exc
