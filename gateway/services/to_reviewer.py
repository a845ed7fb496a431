"""De-identified objects to the reviewer's DICOM node, one C-STORE each, every status kept."""

from contextlib import suppress
from functools import partial

from dicom_node.header import read_file_header
from dicom_node.status import DUPLICATE_SOP_INSTANCE, require_delivered
from gateway.domain.delivery import Receipt
from gateway.domain.errors import Ambiguous, Full, GatewayError, NotAsked, Permanent, Transient
from gateway.domain.hooks import reach
from gateway.domain.party import DicomAddress
from gateway.domain.payload import payload_sha256
from gateway.domain.record import FOUND_THERE, DeliveryItem
from gateway.services.core import Core
from gateway.services.kept_blobs import kept_blob
from gateway.services.outside import ObjectSender, Outside
from gateway.services.sending import Sending
from gateway.store import deliveries, parties


def send_to_reviewer(core: Core, sending: Sending, outside: Outside) -> Receipt:
    """Send what the node has not acknowledged yet. Raises as `send`.

    Where an answer may have been lost the node is asked first what it has. One that answers no queries is sent it all
    again: the objects carry UIDs that never change, so whatever knows them by their UIDs keeps one copy.
    """
    delivery = sending.delivery
    with core.database.read() as connection:
        node = parties.endpoint_by_id(connection, delivery.endpoint_id)
        items = deliveries.items(connection, delivery.id)
    if node.dicom is None:
        raise NotAsked("the reviewer's endpoint is no DICOM node; register one")
    payload = payload_sha256(items)
    left, remark = [item for item in items if item.status is None], ""
    found = [item for item in items if item.status == FOUND_THERE]
    if left and sending.may_have_left:
        found_now, remark = _found_there(core, sending, outside, node.dicom, left, payload)
        left, found = [item for item in left if item not in found_now], found + found_now
    if left:
        contexts = frozenset((item.sop_class_uid, item.transfer_syntax_uid) for item in left)
        with outside.open_sender(node.dicom, contexts) as sender:
            for item in left:
                _send_one(core, sending, sender, item, payload)
    looked = f", {len(found)} of them found there by C-FIND" if found else ""
    note = f"{len(items)} of {len(items)} objects acknowledged{looked}{remark}"
    return Receipt(core.now(), "0x0000", node.dicom.ae_title, payload, note)


def _found_there(
    core: Core, sending: Sending, outside: Outside, node: DicomAddress, left: list[DeliveryItem], payload: str
) -> tuple[list[DeliveryItem], str]:
    """What the node has of these, noted as acknowledged; where it answers no queries, none, and what is to be told."""
    study_instance_uid = read_file_header(kept_blob(core, left[0].blob_sha256)).study_instance_uid
    try:
        there = outside.find_instances(
            node, study_instance_uid, before_send=partial(sending.permission.require, payload)
        )
    except Permanent as exc:
        return [], f"; sent again without a look, since the node cannot be asked what it has: {exc}"
    found = [item for item in left if item.sop_instance_uid in there]
    if found:
        with core.database.write("delivery.item") as connection:
            for item in found:
                deliveries.set_item_found(connection, item, core.now())
    return found, ""


def _send_one(core: Core, sending: Sending, sender: ObjectSender, item: DeliveryItem, payload: str) -> None:
    content = kept_blob(core, item.blob_sha256)
    reach("reviewer.before_send")
    leave = sending.permission.ask(payload)
    try:
        status = sender.send(content, before_send=leave)
        reach("reviewer.after_send")
        if status != DUPLICATE_SOP_INSTANCE:  # only we can derive that UID, so the copy there is ours
            require_delivered(status)
    except GatewayError as exc:
        if exc is leave.refusal:
            raise
        with suppress(Full, Transient), core.database.write("delivery.item") as connection:  # the error itself counts
            deliveries.set_item_error(connection, item, f"{type(exc).__name__}: {exc}")
        raise
    try:
        with core.database.write("delivery.item") as connection:
            deliveries.set_item_status(connection, item, f"0x{status:04X}", core.now())
    except (Full, Transient) as exc:  # the object is there all the same
        raise Ambiguous(f"what became of an object that was sent could not be noted: {exc}") from exc
