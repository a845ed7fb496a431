"""What keeps a case from being closed or destroyed: what arrives, has not left yet, or waits for a person."""

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.domain.case import DocumentState
from gateway.domain.delivery import ENDED
from gateway.domain.record import Case
from gateway.domain.work import RECURRING
from gateway.services.waits import arriving_studies, ehr_command
from gateway.store import cases, dead_letters, deliveries, recalls, reports, resources, studies, timetable


def lock_whole(connection: Connection, case_id: str) -> Case:
    """The case, locked after its clinic and its reviewer: nothing of theirs joins it from here on. Raises NotFound."""
    known = cases.by_id(connection, case_id)
    for party_id in (known.clinic_id, known.reviewer_id):
        if party_id is not None:
            resources.lock_party(connection, party_id)  # before the case, as whoever stores a resource does
    return cases.lock(connection, case_id)


def undelivered(connection: Connection, case: Case) -> Iterator[str]:
    """Each thing that is to leave and has not: a delivery, a signed report, work that may yet make one."""
    opened = deliveries.listed(connection, case_id=case.id)
    for delivery in opened:
        if delivery.state not in ENDED:
            yield f"{delivery.kind} {delivery.id} is {delivery.state}"
    for version in reports.without_delivery(connection, case_id=case.id):
        command = ehr_command(connection, case)
        remedy = f"; it has no EHR: {command}" if command else ""
        yield f"version {version.version} of the report has not left for the clinic{remedy}"
    of_case = [study.id for study in studies.listed(connection, case_id=case.id)]
    if timetable.is_at_work(connection, case.id, of_case):
        yield "the workers are at it"


def unanswered(connection: Connection, case: Case) -> Iterator[str]:
    """Each thing about which a person has not decided yet, or that is still arriving."""
    of_case = [study.id for study in studies.listed(connection, case_id=case.id)]
    for document in cases.documents(connection, case_id=case.id):
        if document.state == DocumentState.WAITING:
            yield f"document {document.id} waits to be cleared"
    waiting = {entry.id for entry in studies.quarantined(connection, case_id=case.id)}
    for study_id in of_case:
        waiting |= {entry.id for entry in studies.quarantined(connection, study_id=study_id)}
    yield from (f"quarantine entry {entry_id} is open" for entry_id in sorted(waiting))
    yield from (f"recall notice {one.id} is open" for one in recalls.listed(connection, case_id=case.id))
    for job in dead_letters.listed(connection, case_id=case.id, subjects=of_case):
        if job.kind not in RECURRING:  # closing itself, or destroying, asks here
            yield f"job {job.id} gave up"
    yield from (f"study {study.id} is arriving" for study in arriving_studies(connection, case))
