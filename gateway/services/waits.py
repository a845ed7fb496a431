"""Every standstill has a reason: what a case waits for, since when, and who can move it (design: promise 9)."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState
from gateway.domain.errors import GatewayError
from gateway.domain.party import EndpointRole, PartyKind
from gateway.domain.record import Case, Study
from gateway.domain.story import ADMINISTRATOR, COORDINATOR, Wait
from gateway.domain.study import StudyState
from gateway.domain.work import JobKind, StoppedJob
from gateway.services import recall
from gateway.services.case_finding import why_unmatched
from gateway.services.delivery_waits import delivery_waits
from gateway.services.merges import person_of
from gateway.services.second_look import late
from gateway.store import cases, dead_letters, deliveries, parties, recalls, reports, studies, timetable

_QUIET = "the study to go quiet"
_NAMED = 3
_OF_CLOSED = (JobKind.REPORT_RENDER, JobKind.RETENTION)
"""The jobs that a closed case may still wait for."""


def waits_of(connection: Connection, case: Case) -> Iterator[Wait]:
    """Nothing for a case whose report has arrived everywhere; a closed one may still wait for that, or for a recall."""
    yield from _recall_waits(connection, case)
    if case.state == CaseState.OPEN:
        yield from _patient_waits(connection, case)
        of_case, arriving = studies.listed(connection, case_id=case.id), arriving_studies(connection, case)
        subjects = [study.id for study in (*of_case, *arriving)]
        stopped = dead_letters.listed(connection, case_id=case.id, subjects=subjects)
        yield from _reviewer_waits(connection, case)
        yield from _study_waits(connection, case, of_case, arriving, stopped)
        yield from _document_waits(connection, case)
    else:
        stopped = [one for one in dead_letters.listed(connection, case_id=case.id) if one.kind in _OF_CLOSED]
        yield from _late_waits(connection, case)
    yield from delivery_waits(connection, case, stopped)
    yield from _report_waits(connection, case, stopped)
    for job in stopped:
        yield Wait(f"{job.kind}, which gave up: {job.last_error}", job.stopped_at, f"{ADMINISTRATOR}: {_retry(job)}")
    for kind, error, since in timetable.failing(connection, case.id):
        yield Wait(f"{kind}, which failed and is tried again: {error}", since, "nobody: the workers")


def study_wait(connection: Connection, study: Study) -> str:
    """What one study waits for before it can leave, in a sentence; empty when nothing of it is held back."""
    stopped = dead_letters.listed(connection, subjects=[study.id])
    if stopped:
        return "; ".join(f"{_retry(job)}: {job.kind} gave up: {job.last_error}" for job in stopped)
    if study.state is StudyState.RECEIVING:
        return _QUIET
    if study.state is StudyState.UNMATCHED:
        because = why_unmatched(connection, study)
        return f"an order, or consilium study link {study.id} CASE: {because}" if because else "the workers"
    if study.state is StudyState.REJECTED:
        return _send_again(connection, study)
    entries = studies.quarantined(connection, study_id=study.id)
    sentences = [f"consilium quarantine show {entry.id}: {entry.reason}" for entry in entries]
    if study.case_id and study.id in {one.study_id for one in late(connection, study.case_id)}:
        sentences.append(f"{_take_up_or_not(study.case_id, study.id)}: objects came when the case was closed")
    return "; ".join(sentences)


def _retry(job: StoppedJob) -> str:
    return f"consilium job retry {job.id}"


def _recall_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    for notice in recalls.listed(connection, case_id=case.id):
        line = recall.line(connection, notice)
        yield Wait(line.request, line.created_at, f"{COORDINATOR}: consilium recall acknowledge {line.id}")


def _patient_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    """Nothing of the case leaves for a record that is no patient's, whatever has come of it by now."""
    from gateway.services.patients import why_no_patient  # a list, which loads no mapping, imports this module too

    clinic = parties.party_by_id(connection, case.clinic_id).name
    try:
        found = why_no_patient(connection, case, person_of(connection, case.clinic_id, case.patient_id))
    except GatewayError as exc:
        yield Wait(f"a record of the patient that can be read: {exc}", case.created_at, f"the clinic {clinic}")
        return
    if found is not None:
        yield Wait(f"another record: {found.why}", found.since, f"the clinic {clinic} {found.remedy}")


def _reviewer_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    if case.reviewer_id is None:
        names = [one.name for one in parties.parties(connection, PartyKind.REVIEWER)]
        assign = f"{COORDINATOR}: consilium case assign {case.id} {'|'.join(names)}"
        yield Wait("a reviewer", case.created_at, assign if names else f"{ADMINISTRATOR}: consilium reviewer add NAME")
    elif not parties.endpoints(connection, party_id=case.reviewer_id, role=EndpointRole.REVIEWER_NODE):
        reviewer = parties.party_by_id(connection, case.reviewer_id).name
        remedy = f"{ADMINISTRATOR}: consilium endpoint add-dicom {reviewer}-node AE@HOST:PORT --party {reviewer}"
        yield Wait("a DICOM node of the reviewer", case.created_at, remedy)


def _study_waits(
    connection: Connection, case: Case, of_case: list[Study], arriving: list[Study], stopped: Sequence[StoppedJob]
) -> Iterator[Wait]:
    waiting = {entry.id: entry for entry in studies.quarantined(connection, case_id=case.id)}
    for study in of_case:  # an object may have come into quarantine before its study had a case
        waiting |= {entry.id: entry for entry in studies.quarantined(connection, study_id=study.id)}
    for entry in sorted(waiting.values(), key=lambda one: one.created_at):
        yield Wait(entry.reason, entry.created_at, f"{COORDINATOR}: consilium quarantine show {entry.id}")
    if waiting or of_case:
        return
    for study in arriving:
        if study.id not in {job.subject_id for job in stopped}:
            yield Wait(_QUIET, study.last_received_at, "nobody: time")
    rejected = _rejected(connection, case)
    for study in rejected:
        what = f"the study again: study {study.id} was rejected"
        yield Wait(what, study.last_received_at, _send_again(connection, study))
    if not arriving and not rejected:
        yield Wait("the study", case.created_at, _who_has_the_study(connection, case))


def _late_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    """Until a person has decided, the case is not destroyed either."""
    for one in late(connection, case.id):
        what = f"a decision: objects of study {one.study_id} came when the case was closed"
        yield Wait(what, one.since, f"{COORDINATOR}: {_take_up_or_not(case.id, one.study_id)}")


def _take_up_or_not(case_id: str, study_id: str) -> str:
    return f"consilium case reopen {case_id}, or consilium study leave-out {study_id} --reason WHY"


def _rejected(connection: Connection, case: Case) -> list[Study]:
    """Studies that a person has kept out of this case."""
    entries = studies.quarantined(connection, case_id=case.id, is_open=False)
    of_entries = dict.fromkeys(entry.study_id for entry in entries if entry.study_id and entry.kind == "identity")
    found = [studies.by_id(connection, study_id) for study_id in of_entries]
    return [one for one in found if one.state is StudyState.REJECTED]


def _send_again(connection: Connection, study: Study) -> str:
    team = _pacs_team(connection, study.clinic_id)
    return f"{team}: correct the images or the order and send study {study.id} again by C-STORE"


def _pacs_team(connection: Connection, clinic_id: str) -> str:
    return f"the PACS team of {parties.party_by_id(connection, clinic_id).name}"


def _who_has_the_study(connection: Connection, case: Case) -> str:
    sender = f"{_pacs_team(connection, case.clinic_id)}: send it by C-STORE"
    unmatched = studies.listed(connection, clinic_id=case.clinic_id, state=StudyState.UNMATCHED, newest=_NAMED)
    if not unmatched:
        return sender
    found = "|".join(study.id for study in unmatched)
    others = studies.count(connection, clinic_id=case.clinic_id, state=StudyState.UNMATCHED) - len(unmatched)
    more = f"; and {others} more: consilium study list --state {StudyState.UNMATCHED}" if others else ""
    return f"{sender}; or {COORDINATOR}, if it came without its key: consilium study link {found} {case.id}{more}"


def arriving_studies(connection: Connection, case: Case) -> list[Study]:
    """Studies that still come in and that the order names."""
    uids = cases.keys(connection, case.id, cases.STUDY_INSTANCE_UID)
    numbers = cases.keys(connection, case.id, cases.ACCESSION_NUMBER)
    receiving = studies.listed(connection, clinic_id=case.clinic_id, state=StudyState.RECEIVING)
    return [one for one in receiving if one.study_instance_uid in uids or one.accession_number in numbers]


def _document_waits(connection: Connection, case: Case) -> Iterator[Wait]:
    for document in cases.documents(connection, case_id=case.id):
        if document.state == DocumentState.WAITING:
            remedy = f"{COORDINATOR}: consilium document approve|redact|reject {document.id}"
            yield Wait("a person to clear the document", document.created_at, remedy)


def _report_waits(connection: Connection, case: Case, stopped: Sequence[StoppedJob]) -> Iterator[Wait]:
    versions, is_open = reports.listed(connection, case.id), case.state == CaseState.OPEN
    if not versions and is_open:
        yield from _unwritten_report(connection, case)
    homeless = versions if is_open else reports.without_delivery(connection, case_id=case.id)
    if homeless and (command := ehr_command(connection, case)):
        yield Wait("an EHR endpoint of the clinic", homeless[-1].created_at, f"{ADMINISTRATOR}: {command}")
    for version in versions:
        if version.rendered_at is None and version.id not in {job.subject_id for job in stopped}:
            yield Wait("the report to be rendered", version.created_at, "nobody: the workers")


def ehr_command(connection: Connection, case: Case) -> str:
    """What gives the clinic the EHR that it lacks; '' where it has one."""
    if parties.endpoints(connection, party_id=case.clinic_id, role=EndpointRole.EHR):
        return ""
    clinic = parties.party_by_id(connection, case.clinic_id).name
    return f"consilium endpoint add-fhir {clinic}-ehr BASE_URL --party {clinic}"


def _unwritten_report(connection: Connection, case: Case) -> Iterator[Wait]:
    sent = deliveries.listed(connection, case_id=case.id, states=[DeliveryState.DELIVERED])
    images = [one for one in sent if one.kind is DeliveryKind.STUDY_TO_REVIEWER]
    if images and case.reviewer_id is not None:
        reviewer = parties.party_by_id(connection, case.reviewer_id).name
        yield Wait("the report", images[0].changed_at, f"the reviewer {reviewer}")
