"""Something came that others may have waited for: put what could move now into the outbox."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.case import DocumentState
from gateway.domain.errors import Conflict
from gateway.domain.record import Case, Study
from gateway.domain.study import StudyState
from gateway.domain.work import JobKind
from gateway.services.core import Core
from gateway.store import audit, cases, outbox, reports, studies

_SUBJECT = "study/"
MATCHED, LATE, LEFT_OUT = "study.matched", "study.late", "study.left-out"
"""What the audit trail says of a study's objects: they are in the case, came when it was closed, or shall stay out."""


@dataclass(frozen=True)
class Late:
    """Objects of a study that came when its case was closed, about which nobody has said yet what becomes of them."""

    case_id: str
    study_id: str
    since: datetime


def late(connection: Connection, case_id: str | None = None) -> list[Late]:
    """Of every closed case, or of that one; oldest first. Nothing for what was destroyed."""
    rows = audit.last_in_closed_cases(connection, (MATCHED, LATE, LEFT_OUT), case_id=case_id)
    return [
        Late(row.case_id, row.subject.removeprefix(_SUBJECT), row.at)
        for row in rows
        if row.action == LATE and row.subject.startswith(_SUBJECT)
    ]


def leave_out(core: Core, study_id: str, *, reason: str, actor: str) -> None:
    """A person says that what came too late is not needed: it stays unused, and is destroyed when the case is.

    It joins the case all the same if the case is opened again. Raises NotFound, and Conflict when nothing came.
    """
    with core.database.write("study.leave-out") as connection:
        study = studies.by_id(connection, study_id)
        if study.case_id is not None:
            cases.lock(connection, study.case_id)
        if study.case_id is None or study_id not in {one.study_id for one in late(connection, study.case_id)}:
            raise Conflict(f"nothing of study {study_id} came too late, or a person has decided on it already")
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action=LEFT_OUT,
            case_id=study.case_id,
            subject=f"{_SUBJECT}{study_id}",
            details={"reason": reason},
        )


def take_up_late(connection: Connection, case: Case, *, now: datetime) -> None:
    """The case is open again: what came meanwhile joins it, also what was to stay out of a closed one."""
    for study in studies.listed(connection, case_id=case.id, state=StudyState.MATCHED):
        subject = f"{_SUBJECT}{study.id}"
        settled = audit.of_case(connection, case.id, actions=(MATCHED, LATE, LEFT_OUT), subject=subject)
        if settled and settled[-1].action != MATCHED:
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now)


def look_again(connection: Connection, case: Case, *, now: datetime) -> None:
    """Something the case may have waited for is there: look at each study, document and report that could leave.

    The jobs are idempotent; one that finds nothing to do does nothing.
    """
    for study in studies.listed(connection, case_id=case.id, state=StudyState.MATCHED):
        outbox.enqueue(connection, JobKind.STUDY_RELEASE, study.id, case_id=case.id, now=now)
    for document in cases.documents(connection, case_id=case.id):
        if document.state == DocumentState.CLEARED:
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
