"""Cases, the keys by which studies find them, and their documents."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, select, update

from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import ENDED
from gateway.domain.errors import NotFound
from gateway.domain.record import Case, CaseDocument
from gateway.store.tables import case, case_key, delivery, document, recall_notice, resource_identifier

STUDY_INSTANCE_UID, ACCESSION_NUMBER = "study-instance-uid", "accession-number"
LINKED_STUDY = "linked-study"
"""Kinds of keys: two that the order names, and the StudyInstanceUID of a study that a person tied to the case."""

_BY_ID = select(case).where(case.c.id == bindparam("of_case"))
_ASSIGNED = (
    select(case)
    .where(case.c.reviewer_id == bindparam("of_reviewer"), case.c.state == CaseState.OPEN)
    .order_by(case.c.created_at.desc(), case.c.id)
)
_LOCKED = _BY_ID.with_for_update(key_share=True)


def add(connection: Connection, new: Case) -> None:
    """Insert one case."""
    connection.execute(insert(case).values(asdict(new)))


def by_id(connection: Connection, case_id: str) -> Case:
    """Raises NotFound."""
    row = connection.execute(_BY_ID, {"of_case": case_id}).one_or_none()
    if row is None:
        raise NotFound(f"no case {case_id}")
    return _case(row)


def of_clinic(connection: Connection, clinic_id: str, case_id: str) -> Case | None:
    """The clinic's case of that id; None for anybody else's."""
    is_it = (case.c.id == case_id) & (case.c.clinic_id == clinic_id)
    row = connection.execute(select(case).where(is_it)).one_or_none()
    return None if row is None else _case(row)


def by_pseudonym(connection: Connection, pseudonym: str) -> Case | None:
    """The case a reviewer means."""
    row = connection.execute(select(case).where(case.c.pseudonym == pseudonym)).one_or_none()
    return None if row is None else _case(row)


def lock(connection: Connection, case_id: str) -> Case:
    """The case, with its row locked until the transaction ends: sending and revoking take turns here."""
    row = connection.execute(_LOCKED, {"of_case": case_id}).one_or_none()
    if row is None:
        raise NotFound(f"no case {case_id}")
    return _case(row)


def listed(
    connection: Connection,
    *,
    patient_ids: Collection[str] | None = None,
    clinic_id: str | None = None,
    reviewer_id: str | None = None,
    limit: int | None = None,
) -> list[Case]:
    """Newest first."""
    query = select(case).order_by(case.c.created_at.desc(), case.c.id).limit(limit)
    if patient_ids is not None:
        query = query.where(case.c.patient_id.in_(patient_ids))
    if clinic_id is not None:
        query = query.where(case.c.clinic_id == clinic_id)
    if reviewer_id is not None:
        query = query.where(case.c.reviewer_id == reviewer_id)
    return [_case(row) for row in connection.execute(query)]


def undecided(connection: Connection, reviewer_id: str, *, clinic_id: str | None = None) -> list[Case]:
    """The reviewer's cases, newest first, of which anything may still leave, or has been asked back."""
    is_unsent = exists().where(delivery.c.case_id == case.c.id, delivery.c.state.not_in(ENDED))
    is_asked_back = exists().where(recall_notice.c.case_id == case.c.id)
    query = select(case).where(case.c.reviewer_id == reviewer_id, is_unsent | is_asked_back)
    if clinic_id is not None:
        query = query.where(case.c.clinic_id == clinic_id)
    return [_case(row) for row in connection.execute(query.order_by(case.c.created_at.desc(), case.c.id))]


def open_of_party(connection: Connection, party_id: str) -> list[Case]:
    """Open cases of a clinic, or of a reviewer."""
    is_of = (case.c.clinic_id == party_id) | (case.c.reviewer_id == party_id)
    return [_case(row) for row in connection.execute(select(case).where(is_of & (case.c.state == CaseState.OPEN)))]


def assigned(connection: Connection, reviewer_id: str) -> list[Case]:
    """The reviewer's open cases, newest first: the order in which those of a patient are locked, too."""
    return [_case(row) for row in connection.execute(_ASSIGNED, {"of_reviewer": reviewer_id})]


def close(connection: Connection, case_id: str, now: datetime) -> None:
    """Nothing more joins it, and its retention period runs."""
    connection.execute(update(case).where(case.c.id == case_id).values(state=CaseState.CLOSED, closed_at=now))


def reopen(connection: Connection, case_id: str) -> None:
    """As if it had never been closed."""
    connection.execute(update(case).where(case.c.id == case_id).values(state=CaseState.OPEN, closed_at=None))


def set_legal_hold(connection: Connection, case_id: str, reason: str | None) -> None:
    """Why nothing of it may be destroyed; None: it may."""
    connection.execute(update(case).where(case.c.id == case_id).values(legal_hold=reason))


def set_reviewer(connection: Connection, case_id: str, reviewer_id: str | None) -> None:
    """Who reviews it; None: a coordinator has to say."""
    connection.execute(update(case).where(case.c.id == case_id).values(reviewer_id=reviewer_id))


def set_patient(connection: Connection, case_id: str, patient_id: str) -> None:
    """Whose it is, once the clinic has merged the record that it was ordered under."""
    connection.execute(update(case).where(case.c.id == case_id).values(patient_id=patient_id))


def replace_keys(connection: Connection, of: Case, keys: Iterable[tuple[str, str]]) -> None:
    """Set the (kind, value) pairs that the order names; what a person linked stays."""
    connection.execute(delete(case_key).where(case_key.c.case_id == of.id, case_key.c.kind != LINKED_STUDY))
    for kind, value in keys:
        add_key(connection, of, kind, value)


def add_key(connection: Connection, of: Case, kind: str, value: str) -> None:
    """Let studies find the case by one more value."""
    row = {"case_id": of.id, "clinic_id": of.clinic_id, "kind": kind, "value": value}
    connection.execute(insert(case_key).values(row))


def unlink(connection: Connection, clinic_id: str, study_instance_uid: str) -> None:
    """No case has the study by a person's link any more."""
    is_it = (case_key.c.clinic_id == clinic_id) & (case_key.c.kind == LINKED_STUDY)
    connection.execute(delete(case_key).where(is_it & (case_key.c.value == study_instance_uid)))


def keys(connection: Connection, case_id: str, kind: str) -> list[str]:
    """The values of one kind that the order names."""
    query = select(case_key.c.value).where((case_key.c.case_id == case_id) & (case_key.c.kind == kind))
    return list(connection.execute(query.order_by(case_key.c.value)).scalars())


def open_by_key(connection: Connection, clinic_id: str, kind: str, value: str) -> list[Case]:
    """Open cases of the clinic whose order names this value."""
    is_it = (case_key.c.clinic_id == clinic_id) & (case_key.c.kind == kind) & (case_key.c.value == value)
    query = select(case).join(case_key, case_key.c.case_id == case.c.id).where(is_it & (case.c.state == CaseState.OPEN))
    return [_case(row) for row in connection.execute(query)]


def open_by_patient_identifier(connection: Connection, clinic_id: str, value: str) -> list[Case]:
    """Open cases of the clinic whose Patient carries this identifier value, whatever its system."""
    is_patient = (resource_identifier.c.party_id == clinic_id) & (resource_identifier.c.type == "Patient")
    patients = select(resource_identifier.c.resource_id).where(is_patient & (resource_identifier.c.value == value))
    is_open = (case.c.clinic_id == clinic_id) & (case.c.state == CaseState.OPEN)
    query = select(case).where(is_open & case.c.patient_id.in_(patients))
    return [_case(row) for row in connection.execute(query)]


def add_document(connection: Connection, new: CaseDocument) -> None:
    """Insert one document."""
    connection.execute(insert(document).values(asdict(new)))


def document_by_id(connection: Connection, document_id: str) -> CaseDocument:
    """Raises NotFound."""
    row = connection.execute(select(document).where(document.c.id == document_id)).one_or_none()
    if row is None:
        raise NotFound(f"no document {document_id}")
    return _document(row)


def documents(connection: Connection, *, case_id: str | None = None, newest: int | None = None) -> list[CaseDocument]:
    """Oldest first; with `newest` only so many, newest first."""
    query = select(document).order_by(document.c.created_at)
    if newest is not None:
        query = select(document).order_by(document.c.created_at.desc(), document.c.id).limit(newest)
    query = query if case_id is None else query.where(document.c.case_id == case_id)
    return [_document(row) for row in connection.execute(query)]


def clear_document(connection: Connection, document_id: str, *, sha256: str, by: str, now: datetime) -> None:
    """A person vouches for these bytes."""
    cleared = {"state": DocumentState.CLEARED, "cleared_sha256": sha256, "cleared_by": by, "cleared_at": now}
    connection.execute(update(document).where(document.c.id == document_id).values(cleared))


def reject_document(connection: Connection, document_id: str, *, by: str, now: datetime) -> None:
    """A person keeps it from leaving."""
    rejected = {"state": DocumentState.REJECTED, "cleared_by": by, "cleared_at": now}
    connection.execute(update(document).where(document.c.id == document_id).values(rejected))


def _case(row: Row[Any]) -> Case:
    return Case(**dict(row._mapping) | {"state": CaseState(row.state)})


def _document(row: Row[Any]) -> CaseDocument:
    return CaseDocument(**dict(row._mapping) | {"state": DocumentState(row.state)})
