"""What holds after every schedule, whatever went wrong in it."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select

from dicom_node.part10 import split_file
from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow
from gateway.domain.record import Delivery
from gateway.services.sweeping import sweep
from gateway.services.waits import waits_of
from gateway.store import audit, cases, deliveries
from gateway.store.blob_references import referenced
from gateway.store.leftovers import LOCK
from gateway.store.tables import audit as audit_table
from gateway.store.tables import egress_grant, instance, outbox
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.town import Town
from tests.acceptance.gateway import wait_for

_RETURNED = (DeliveryKind.REPORT_TO_EHR, DeliveryKind.REPORT_TO_PACS)
_DISCLOSED = (DeliveryKind.STUDY_TO_REVIEWER, DeliveryKind.DOCUMENT_TO_REVIEWER)


def hold(town: Town, journeys: Sequence[Journey]) -> None:
    """Every promise of the design that a fault could break, one after the other."""
    for journey in journeys:
        acknowledged_is_kept(town, journey)
        deliveries_have_ended_or_say_why(town, journey)
        each_thing_arrived_once(town, journey)
        nothing_left_without_a_grant(town, journey)
        no_grant_after_a_revocation(town, journey)
    audit_holds(town)
    nothing_is_orphaned(town)


def acknowledged_is_kept(town: Town, journey: Journey) -> None:
    """What a sender saw answered with 0x0000 is in the catalogue, and its blob is what was sent."""
    uids = list(journey.acknowledged)
    query = select(instance.c.sop_instance_uid, instance.c.blob_sha256).where(instance.c.sop_instance_uid.in_(uids))
    with town.core.database.read() as connection:
        kept = {row.sop_instance_uid: row.blob_sha256 for row in connection.execute(query)}
    assert set(kept) == set(uids), "an acknowledged instance is not in the catalogue"
    for uid, path in journey.acknowledged.items():
        content = town.core.blobs.get(kept[uid])  # compares the hash
        assert dcmread(BytesIO(content)) == dcmread(path), "the blob of an acknowledged instance is another object"


def deliveries_have_ended_or_say_why(town: Town, journey: Journey) -> None:
    """Delivered, or ambiguous, or held by a revocation: and what stands still has a wait that names it and a person."""
    found = _deliveries(town, journey)
    expected = {*_DISCLOSED} | ({*_RETURNED} if journey.is_reported else set())
    missing = expected - {one.kind for one in found}
    with town.core.database.read() as connection:
        waits = list(waits_of(connection, cases.by_id(connection, journey.case.id)))
    assert not missing, f"no delivery was opened: {missing}; the case waits for {waits}"
    for one in found:
        may_be_held = one.kind.flow in journey.revoked
        allowed = {DeliveryState.DELIVERED, DeliveryState.AMBIGUOUS} | ({DeliveryState.HELD} if may_be_held else set())
        assert one.state in allowed, f"{one.kind} is {one.state}: {one.waits_for} {one.last_error}"
        if one.state is not DeliveryState.DELIVERED:
            assert one.waits_for, f"{one.kind} is {one.state} and does not say why"
            assert any(one.kind in wait.what for wait in waits), f"no wait of the case names {one.kind}"
    assert all(wait.who for wait in waits)


def each_thing_arrived_once(town: Town, journey: Journey) -> None:
    """One copy at each destination of what is delivered; none, or one, of what is ambiguous or held."""
    found = {one.kind: one for one in _deliveries(town, journey)}
    arrivals = _at_reviewer(town, journey)
    for kind in _DISCLOSED:
        if kind in found:
            _came_once(town, found[kind], arrivals)
    for kind, count in (
        (DeliveryKind.REPORT_TO_EHR, len(town.in_ehr(journey.case))),
        (DeliveryKind.REPORT_TO_PACS, len(town.in_pacs(journey.case))),
    ):
        is_there = kind in found and found[kind].state is DeliveryState.DELIVERED
        assert count == 1 if is_there else count <= 1, f"{count} copies of {kind}"


def nothing_left_without_a_grant(town: Town, journey: Journey) -> None:
    """Whatever a destination received is the payload of a grant, committed before it came."""
    granted = _grants(town, journey)
    items = _items(town, journey)
    for uid, copies in _at_reviewer(town, journey).items():
        assert uid in items, "the reviewer has an object that no delivery prepared"
        delivery, sha256 = items[uid]
        sent = town.core.blobs.get(sha256)
        first = min((at for at, payload in granted[delivery.id] if payload == delivery.payload_sha256), default=None)
        assert first is not None, f"{delivery.kind} left without a grant"
        for path in copies:
            came = path.read_bytes()
            assert came[split_file(came)[1] :] == sent[split_file(sent)[1] :], "another object than was prepared"
            assert first <= town.clock.at(path.stat().st_mtime), f"{delivery.kind} left before it was granted"
    offered = [
        hashlib.sha256(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]).hexdigest()
        for ds in town.offered_to_pacs(journey.case)
    ]
    written = [_pdf_sha256(request.body) for request in town.written_to_ehr(journey.case)]
    for kind, payloads in ((DeliveryKind.REPORT_TO_PACS, offered), (DeliveryKind.REPORT_TO_EHR, written)):
        allowed = {payload for one in _deliveries(town, journey) if one.kind is kind for _, payload in granted[one.id]}
        assert set(payloads) <= allowed, f"{kind} left without a grant"


def no_grant_after_a_revocation(town: Town, journey: Journey) -> None:
    """Both are committed under the case's lock and audited inside it: the order of the rows is that of the commits."""
    if not journey.revoked:
        return
    columns = (audit_table.c.id, audit_table.c.action, audit_table.c.details)
    query = select(*columns).where(audit_table.c.case_id == journey.case.id).order_by(audit_table.c.id)
    with town.core.database.read() as connection:
        rows = connection.execute(query).all()
    revoked_at = [row.id for row in rows if row.action == "consent.stored" and row.details["status"] == "inactive"]
    assert revoked_at, "a revocation that was acknowledged left no trace"
    for row in rows:
        if row.action == "egress.granted" and Flow(row.details["flow"]) in journey.revoked:
            assert row.id < revoked_at[0], "a grant was committed after the revocation"


def audit_holds(town: Town) -> None:
    """The chain has no gap, and the sealer comes to its end."""

    def is_sealed() -> bool:
        with town.core.database.read() as connection:
            if audit.has_unsealed(connection):
                return False
            verified = audit.verify(connection)
        assert verified.broken_at is None, f"the audit chain is broken at {verified.broken_at}"
        return verified.unsealed == 0

    wait_for(is_sealed, "the sealer")


def nothing_is_orphaned(town: Town) -> None:
    """After a sweep that spares nothing there are exactly the blobs that rows refer to, and no spool file."""
    data = Path(town.gateway.environment["CONSILIUM_DATA_DIR"])
    sweep(town.core, data / "spool", min_age=-timedelta(seconds=5))
    with town.core.database.read() as connection:
        kept = sorted(referenced(connection))
    assert kept == sorted(town.core.blobs.digests())
    left = [path for name in ("spool", "blobs/partial") for path in (data / name).rglob("*")]
    assert not [path for path in left if path.is_file() and path.name != LOCK]


def _deliveries(town: Town, journey: Journey) -> list[Delivery]:
    with town.core.database.read() as connection:
        return deliveries.listed(connection, case_id=journey.case.id)


def _items(town: Town, journey: Journey) -> dict[str, tuple[Delivery, str]]:
    """SOP Instance UID as it leaves -> its delivery and blob."""
    found = _deliveries(town, journey)
    with town.core.database.read() as connection:
        return {
            item.sop_instance_uid: (one, item.blob_sha256)
            for one in found
            for item in deliveries.items(connection, one.id)
        }


def _at_reviewer(town: Town, journey: Journey) -> dict[str, list[Path]]:
    """SOP Instance UID -> each file that arrived whole under it; storescp writes one for each arrival."""
    with town.core.database.read() as connection:
        pseudonym = cases.by_id(connection, journey.case.id).pseudonym
    arrived: dict[str, list[Path]] = defaultdict(list)
    for path in town.node.files():
        patient, uid = _arrived(path)
        if patient == pseudonym:
            arrived[uid].append(path)
    return arrived


@cache
def _arrived(path: Path) -> tuple[str, str]:
    """Patient ID and SOP Instance UID of a file, which stays as it came; a town's schedules look at all of them."""
    ds = dcmread(path, stop_before_pixels=True)
    return str(ds.PatientID), str(ds.SOPInstanceUID)


def _came_once(town: Town, delivery: Delivery, arrivals: dict[str, list[Path]]) -> None:
    """An archive knows the UID; where each arrival is a file, an attempt may repeat the one object in flight before."""
    query = select(outbox.c.attempts).where(outbox.c.subject_id == delivery.id)
    with town.core.database.read() as connection:
        attempts = sum(connection.execute(query).scalars())
        items = deliveries.items(connection, delivery.id)
    copies = [arrivals.get(item.sop_instance_uid, []) for item in items]
    if delivery.state is DeliveryState.DELIVERED:
        assert all(copies), f"{delivery.kind} is delivered and not all of it is there"
    assert sum(max(len(one) - 1, 0) for one in copies) <= max(attempts - 1, 0), f"{delivery.kind} came too often"


def _grants(town: Town, journey: Journey) -> dict[str, list[tuple[datetime, str]]]:
    """Delivery id -> when each of its grants was given, and for which payload."""
    ids = [one.id for one in _deliveries(town, journey)]
    found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    with town.core.database.read() as connection:
        for row in connection.execute(select(egress_grant).where(egress_grant.c.delivery_id.in_(ids))):
            found[row.delivery_id].append((row.granted_at, row.payload_sha256))
    return found


def _pdf_sha256(body: bytes) -> str:
    """Of the PDF in a DiagnosticReport as it was sent."""
    [pdf] = [one for one in json.loads(body)["presentedForm"] if one["contentType"] == "application/pdf"]
    return hashlib.sha256(base64.b64decode(pdf["data"])).hexdigest()
