"""Something came that others may have waited for: put what could move now into the outbox."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.record import Case, Study
from gateway.domain.study import StudyState
from gateway.domain.work import JobKind
from gateway.store import audit, cases, outbox, reports, studies

MATCHED, LATE = "study.matched", "study.late"
"""What the audit trail says of a study's objects: they are in the case, or came when it was closed."""


def is_late(connection: Connection, study: Study) -> bool:
    """Whether objects of a matched study wait for its case to be opened again."""
    rows = audit.of_case(connection, str(study.case_id), actions=(MATCHED, LATE))
    return [row.action for row in rows if row.subject == f"study/{study.id}"][-1:] == [LATE]


def take_up_late(connection: Connection, case: Case, *, now: datetime) -> None:
    """The case is open again: what came meanwhile joins it."""
    for study in studies.listed(connection, case_id=case.id, state=StudyState.MATCHED):
        if is_late(connection, study):
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now)


def look_again(connection: Connection, case: Case, *, now: datetime) -> None:
    """Something the case may have waited for is there: look at each study, document and report that could leave.

    The jobs are idempotent; one that finds nothing to do does nothing.
    """
    for study in studies.listed(connection, case_id=case.id, state=StudyState.MATCHED):
        outbox.enqueue(connection, JobKind.STUDY_RELEASE, study.id, case_id=case.id, now=now)
    for document in cases.documents(connection, case_id=case.id):
        if document.state == "cleared":
            outbox.enqueue(connection, JobKind.DOCUMENT_RELEASE, document.id, case_id=case.id, now=now)
    for version in reports.listed(connection, case.id):
        outbox.enqueue(connection, JobKind.REPORT_RENDER, version.id, case_id=case.id, now=now)


def look_again_at_unmatched(
    connection: Connection, clinic_id: str, may_be_its: Callable[[Study], bool], *, now: datetime
) -> None:
    """Match anew the clinic's unmatched studies that fit what has just come."""
    for study in studies.listed(connection, clinic_id=clinic_id, state=StudyState.UNMATCHED):
        if may_be_its(study):
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now)
