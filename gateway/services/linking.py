"""A person ties a study that nobody could match to its case."""

from gateway.domain.case import CaseState
from gateway.domain.errors import Conflict
from gateway.domain.study import StudyState
from gateway.domain.work import JobKind
from gateway.services.core import Core
from gateway.store import audit, cases, outbox, resources, studies


def link(core: Core, study_id: str, case_id: str, *, actor: str) -> None:
    """Make the study one that the case's order names, and match anew; the identity is still compared.

    Of several links the last one counts, so that a person can correct one at once.

    Raises NotFound, and Conflict when the study waits for something else, or the case is closed or another clinic's.
    """
    with core.database.write("study.link") as connection:
        resources.lock_party(connection, studies.by_id(connection, study_id).clinic_id)
        now, study, case = core.now(), studies.by_id(connection, study_id), cases.lock(connection, case_id)
        if study.state is not StudyState.UNMATCHED:
            raise Conflict(f"study {study.id} is {study.state}; only an unmatched one can be linked")
        if case.clinic_id != study.clinic_id:
            raise Conflict(f"case {case.id} belongs to another clinic than study {study.id}")
        if case.state != CaseState.OPEN:
            raise Conflict(f"case {case.id} is {case.state}")
        cases.unlink(connection, study.clinic_id, study.study_instance_uid)
        cases.add_key(connection, case, cases.LINKED_STUDY, study.study_instance_uid)
        audit.record(
            connection, at=now, actor=actor, action="study.linked", case_id=case.id, subject=f"study/{study.id}"
        )
        outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now)
