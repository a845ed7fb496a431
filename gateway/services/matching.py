"""A study went quiet: whose case is it, and does the header name the same person as the order?"""

from sqlalchemy import Connection

from fhir_mappings.imaging_study import imaging_study_to_fhir
from gateway.domain.case import CaseState
from gateway.domain.identity import Contradiction, PersonIdentity, contradictions
from gateway.domain.record import Case, Study
from gateway.domain.study import InstanceState, StudyState
from gateway.domain.work import Job, JobKind
from gateway.services.case_finding import Match, find_case
from gateway.services.core import Core
from gateway.services.patients import patient_of_case
from gateway.services.resources import store_internal
from gateway.services.second_look import LATE, MATCHED, look_again
from gateway.store import audit, cases, outbox, resources, studies
from gateway.store.studies import Place


def settle(core: Core, job: Job) -> None:
    """Match a quiet study with its case; one that is still receiving is looked at again when it has gone quiet."""
    with core.database.write("study.settle") as connection:
        resources.lock_party(connection, studies.by_id(connection, job.subject_id).clinic_id)
        now, study = core.now(), studies.by_id(connection, job.subject_id)
        quiet_at = study.last_received_at + core.quiet_period
        if now < quiet_at:
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now, due_at=quiet_at)
            return
        if study.state in (StudyState.RECEIVING, StudyState.UNMATCHED):
            _match(core, connection, study)
        elif study.state is StudyState.MATCHED and study.case_id:
            _add(core, connection, study, cases.lock(connection, study.case_id))


def _add(core: Core, connection: Connection, study: Study, case: Case) -> None:
    """More objects of a matched study; a closed case takes none, and they wait until it is opened again."""
    if case.state == CaseState.OPEN:
        _matched(core, connection, study, case, "addition to a matched study")
        return
    subject, stored = f"study/{study.id}", len(studies.instances(connection, study.id, state=InstanceState.STORED))
    known = audit.of_case(connection, case.id, actions=(MATCHED, LATE), subject=subject)
    if known and study.last_received_at <= known[-1].at and stored <= known[-1].details["instances"]:
        return  # nothing came: a person decided on what waited in the quarantine
    audit.record(
        connection,
        at=core.now(),
        actor="matching",
        action=LATE,
        outcome="waiting",
        case_id=case.id,
        subject=subject,
        details={"instances": stored},
    )


def _match(core: Core, connection: Connection, study: Study) -> None:
    found = find_case(connection, study)
    if found.case is None:
        _unmatched(core, connection, study, found.because)
        return
    differences = () if study.accepted_case_id == found.case.id else _differences(connection, study, found.case)
    if differences:
        _quarantine(core, connection, study, found, differences)
        return
    _matched(core, connection, study, found.case, found.because)


def _unmatched(core: Core, connection: Connection, study: Study, because: str) -> None:
    studies.change(connection, study.id, state=StudyState.UNMATCHED)
    audit.record(
        connection,
        at=core.now(),
        actor="matching",
        action="study.unmatched",
        outcome="waiting",
        subject=f"study/{study.id}",
        details={"why": because},
    )


def _quarantine(
    core: Core, connection: Connection, study: Study, found: Match, differences: tuple[Contradiction, ...]
) -> None:
    now, case_id = core.now(), found.case.id if found.case else None
    studies.change(connection, study.id, state=StudyState.QUARANTINED)
    shown = {"differences": [[one.field, one.in_header, one.in_order] for one in differences]}
    fields = ", ".join(one.field for one in differences)
    reason = f"identity: {fields} in the images differs from the order (matched by {found.because})"
    place = Place(case_id, study.id, None)
    studies.put_in_quarantine(connection, "identity", reason, place, details=shown, now=now)
    audit.record(
        connection,
        at=now,
        actor="matching",
        action="study.quarantined",
        outcome="waiting",
        case_id=case_id,
        subject=f"study/{study.id}",
        details={"fields": fields},
    )


def _matched(core: Core, connection: Connection, study: Study, case: Case, because: str) -> None:
    now = core.now()
    first = {} if study.matched_at else {"matched_at": now}
    studies.change(connection, study.id, state=StudyState.MATCHED, case_id=case.id, **first)
    instances = studies.instances(connection, study.id, state=InstanceState.STORED)
    if instances:
        store_internal(connection, case.clinic_id, imaging_study_to_fhir(study, instances, case), now=now)
    audit.record(
        connection,
        at=now,
        actor="matching",
        case_id=case.id,
        subject=f"study/{study.id}",
        action=MATCHED,
        details={"by": because, "instances": len(instances)},
    )
    look_again(connection, case, now=now)


def _differences(connection: Connection, study: Study, case: Case) -> tuple[Contradiction, ...]:
    patient = patient_of_case(connection, case)
    header = PersonIdentity(study.patient_names, study.birth_date, study.sex)
    return contradictions(header, patient.identity)
