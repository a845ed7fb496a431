"""What is found of one case at rest: in the gateway's database, and at each destination."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydicom import Dataset, dcmread
from sqlalchemy import select

from gateway.domain.delivery import DeliveryKind, Flow
from gateway.domain.record import Delivery, DeliveryItem
from gateway.store import cases, deliveries, recalls
from gateway.store.tables import audit, egress_grant, outbox
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.rules import GRANTED, RECALLED, REVOKED, Arrival, Event, Grant
from tests.acceptance.faults.town import Town

_LONGEST_ON_ITS_WAY_S = 30.0
"""From the look at the grant to the last byte at the destination: every wait here is shorter, on a busy machine too."""


def deliveries_of(town: Town, journey: Journey) -> list[Delivery]:
    with town.core.database.read() as connection:
        return deliveries.listed(connection, case_id=journey.case.id)


def items_of(town: Town, delivery: Delivery) -> list[DeliveryItem]:
    with town.core.database.read() as connection:
        return deliveries.items(connection, delivery.id)


def most_repeats(town: Town, delivery: Delivery) -> int:
    """How often an attempt may have repeated what an earlier one had in flight: never after one that told its end."""
    query = select(outbox.c.attempts).where(outbox.c.subject_id == delivery.id)
    with town.core.database.read() as connection:
        attempts: int = sum(connection.execute(query).scalars())
    return max(attempts - 1, 0)


def was_taken_over(town: Town, delivery: Delivery) -> bool:
    """Whether an attempt lost its lease before it ended, which a clock that jumps is enough for."""
    query = select(outbox.c.attempts, outbox.c.failures, outbox.c.state).where(outbox.c.subject_id == delivery.id)
    with town.core.database.read() as connection:
        rows = connection.execute(query).all()
    return any(row.attempts - row.failures > (row.state == "done") for row in rows)


def grants_of(town: Town, journey: Journey) -> list[Grant]:
    kinds = {one.id: one.kind for one in deliveries_of(town, journey)}
    query = select(egress_grant).where(egress_grant.c.delivery_id.in_(kinds))
    with town.core.database.read() as connection:
        rows = connection.execute(query).all()
    return [
        Grant(row.delivery_id, kinds[row.delivery_id], row.payload_sha256, row.granted_at, row.expires_at)
        for row in rows
    ]


def noticed_in(town: Town, journey: Journey) -> list[str]:
    """What each open recall notice is about: a delivery, for nobody reads here."""
    with town.core.database.read() as connection:
        return [one.disclosed_id for one in recalls.listed(connection, case_id=journey.case.id)]


def trail_of(town: Town, journey: Journey) -> list[Event]:
    """Grants, recall notices and the revocation, in the order of their rows, which is that of the commits."""
    query = select(audit).where(audit.c.case_id == journey.case.id).order_by(audit.c.id)
    with town.core.database.read() as connection:
        rows = connection.execute(query).all()
    events = []
    for row in rows:
        if row.action == "consent.stored" and row.details["status"] == "inactive":
            events.append(Event(REVOKED))
        elif row.action == GRANTED:
            events.append(Event(GRANTED, row.subject.removeprefix("delivery/"), Flow(row.details["flow"])))
        elif row.action == RECALLED:
            events.append(Event(RECALLED, row.details["delivery"]))
    return events


def at_reviewer(town: Town, journey: Journey) -> dict[str, list[Path]]:
    """SOP Instance UID -> each file that arrived whole under it; storescp writes one for each arrival."""
    with town.core.database.read() as connection:
        pseudonym = cases.by_id(connection, journey.case.id).pseudonym
    arrived: dict[str, list[Path]] = defaultdict(list)
    for path in town.node.files():
        patient, uid = _arrived(path)
        if patient == pseudonym:
            arrived[uid].append(path)
    return arrived


def arrivals_at_reviewer(town: Town, journey: Journey) -> Iterator[Arrival]:
    """Raises AssertionError for an object that no delivery prepared."""
    prepared = {item.sop_instance_uid: one for one in deliveries_of(town, journey) for item in items_of(town, one)}
    for uid, paths in at_reviewer(town, journey).items():
        assert uid in prepared, "the reviewer has an object that no delivery prepared"
        of = prepared[uid]
        for path in paths:
            yield _arrival(town, of.kind, uid, of.payload_sha256, path.stat().st_mtime)


def arrivals_in_ehr(town: Town, journey: Journey) -> Iterator[Arrival]:
    """Every request that tells of the patient, answered or not."""
    for one in town.asked_of_ehr(journey.case):
        payload = _pdf_sha256(one.body) if one.is_write else ""
        yield _arrival(town, DeliveryKind.REPORT_TO_EHR, payload, payload, one.at)


def arrivals_in_pacs(town: Town, journey: Journey) -> Iterator[Arrival]:
    """Every query for the study and every object for it, the refused ones too."""
    pacs, uid = town.pacs, journey.case.data.study_instance_uid
    for ds, at in [*zip(pacs.queries, pacs.asked_at, strict=True), *zip(pacs.received, pacs.received_at, strict=True)]:
        if ds.get("StudyInstanceUID") == uid:
            payload = _document_sha256(ds)
            yield _arrival(town, DeliveryKind.REPORT_TO_PACS, payload, payload, at)


def _arrival(town: Town, kind: DeliveryKind, thing: str, payload_sha256: str, at_s: float) -> Arrival:
    left_after, came_at = town.clock.at(at_s - _LONGEST_ON_ITS_WAY_S), town.clock.at(at_s)
    return Arrival(kind, thing, payload_sha256, left_after, came_at)


@cache
def _arrived(path: Path) -> tuple[str, str]:
    """Patient ID and SOP Instance UID of a file, which stays as it came; a town's schedules look at all of them."""
    ds = dcmread(path, stop_before_pixels=True)
    return str(ds.PatientID), str(ds.SOPInstanceUID)


def _document_sha256(ds: Dataset) -> str:
    """Of an Encapsulated PDF as it was sent; '' of a query."""
    if "EncapsulatedDocument" not in ds:
        return ""
    return hashlib.sha256(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength]).hexdigest()


def _pdf_sha256(body: bytes) -> str:
    """Of the PDF in a DiagnosticReport as it was sent."""
    [pdf] = [one for one in json.loads(body)["presentedForm"] if one["contentType"] == "application/pdf"]
    return hashlib.sha256(base64.b64decode(pdf["data"])).hexdigest()
