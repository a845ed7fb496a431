"""Every standstill has a reason: what a case waits for, since when, and who can move it (design: promise 9)."""

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.party import EndpointRole
from gateway.domain.record import Case, Delivery, Study
from gateway.domain.story import Wait
from gateway.domain.study import StudyState
from gateway.services import egress, matching
from gateway.store import cases, deliveries, outbox, parties, reports, studies

ADMINISTRATOR, COORDINATOR = "an administrator", "a coordinator"
_QUIET = "the study to go quiet"


def waits_of(connection: Connection, case: Case) -> Iterator[Wait]:
    """Nothing for a case that is closed or whose report has arrived everywhere."""
    if case.state != "open":
        return
    if case.reviewer_id is None:
        yield Wait("a reviewer", case.created_at, f"{COORDINATOR}: consilium case assign {case.id} REVIEWER")
    elif not parties.endpoints(connection, party_id=case.reviewer_id, role=EndpointRole.REVIEWER_NODE):
        yield Wait("a DICOM node of the reviewer", case.created_at, f"{ADMINISTRATOR}: consilium endpoint add-dicom")
    yield from _study_waits(connection, case)
    for document in cases.documents(connection, case_id=case.id):
        if document.state == "waiting":
            remedy = f"{COORDINATOR}: consilium document approve|redact|reject {document.id}"
            yield Wait("a person to clear the document", document.created_at, remedy)
    for delivery in deliveries.listed(connection, case_id=case.id):
        yield from _delivery_waits(connection, delivery)
    yield from _report_waits(connection, case)
    for job in outbox.dead(connection, case.id):
        yield Wait(f"a look at {job.kind}: {job.last_error}", job.settled_at, ADMINISTRATOR)


def study_wait(connection: Connection, study: Study) -> str:
    """What one study waits for before it can leave, in a sentence; empty when nothing of it is held back."""
    if study.state is StudyState.RECEIVING:
        return _QUIET
    if study.state is StudyState.UNMATCHED:
        because = matching.why_unmatched(connection, study)
        return f"an order, or consilium study link {study.id} CASE: {because}" if because else "the workers"
    entries = studies.quarantined(connection, study_id=study.id)
    return "; ".join(f"consilium quarantine show {entry.id}: {entry.reason}" for entry in entries)


def _study_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    of_case = studies.listed(connection, case_id=case.id)
    waiting = {entry.id: entry for entry in studies.quarantined(connection, case_id=case.id)}
    for study in of_case:  # an object may have come into quarantine before its study had a case
        waiting |= {entry.id: entry for entry in studies.quarantined(connection, study_id=study.id)}
    for entry in sorted(waiting.values(), key=lambda one: one.created_at):
        yield Wait(entry.reason, entry.created_at, f"{COORDINATOR}: consilium quarantine show {entry.id}")
    if waiting or of_case:
        return
    arriving = _arriving(connection, case)
    for study in arriving:
        yield Wait("the study to go quiet", study.last_received_at, "nobody: time")
    if not arriving:
        yield Wait("the study", case.created_at, "the hospital's PACS team: send it by C-STORE")


def _arriving(connection: Connection, case: Case) -> list[Study]:
    """Studies that still come in and that the order names."""
    uids = cases.keys(connection, case.id, cases.STUDY_INSTANCE_UID)
    numbers = cases.keys(connection, case.id, cases.ACCESSION_NUMBER)
    receiving = studies.listed(connection, clinic_id=case.clinic_id, state=StudyState.RECEIVING)
    return [one for one in receiving if one.study_instance_uid in uids or one.accession_number in numbers]


def _delivery_waits(connection: Connection, delivery: Delivery) -> Iterator[Wait]:
    if delivery.state is DeliveryState.DELIVERED:
        return
    if delivery.waits_for:
        who, _, why = delivery.waits_for.partition(": ")
        yield Wait(f"{delivery.kind} {delivery.state}: {why or who}", delivery.changed_at, who)
        return
    job = outbox.unsettled(connection, egress.next_job(delivery)[1])
    if job is None:
        why = f"{delivery.kind} stopped: {delivery.last_error or 'its work ended unfinished'}"
        yield Wait(why, delivery.changed_at, f"{ADMINISTRATOR}: consilium delivery retry {delivery.id}")
    elif delivery.last_error:
        next_try = f"the next try at {job.next_try_at:%Y-%m-%d %H:%M:%S} UTC after: {delivery.last_error}"
        yield Wait(f"{delivery.kind}: {next_try}", delivery.changed_at, "nobody: time, or whoever runs the destination")
    else:
        yield Wait(f"{delivery.kind} on its way", delivery.changed_at, "nobody: the workers")


def _report_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    versions = reports.listed(connection, case.id)
    if versions:
        if not any(one.role is EndpointRole.EHR for one in parties.endpoints(connection, party_id=case.clinic_id)):
            yield Wait("an EHR endpoint of the clinic", versions[-1].created_at, ADMINISTRATOR)
        for version in versions:
            if version.rendered_at is None:
                yield Wait("the report to be rendered", version.created_at, "nobody: the workers")
        return
    sent = [one for one in deliveries.listed(connection, case_id=case.id) if one.state is DeliveryState.DELIVERED]
    images = [one for one in sent if one.kind is DeliveryKind.STUDY_TO_REVIEWER]
    if images:
        yield Wait("the report", images[0].changed_at, "the reviewer")
