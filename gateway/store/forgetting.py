"""What a case has in rows: its FHIR resources lose their content, its studies what told of the patient."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, select, update

from gateway.domain.destruction import Thing
from gateway.domain.ids import new_id
from gateway.domain.record import Case
from gateway.domain.study import StudyState
from gateway.store import resource_index
from gateway.store.tables import (
    case,
    case_key,
    document,
    quarantine,
    report,
    resource,
    resource_identifier,
    resource_reference,
    resource_version,
    study,
)

_SHARED = ("Binary", "DocumentReference")
"""Types that something else may refer to as well, such as a consent to its source."""

_FOR_THEMSELVES = frozenset(("Patient", "ServiceRequest"))
"""Types that do not go because of what they refer to."""


def resources_of(connection: Connection, of: Case, *, patients: Collection[str]) -> set[str]:
    """Ids of the resources that go with the case, and with everything about them these records of its patient.

    What refers to the case goes with it, and so does each document it refers to that nothing else does, and what tells
    of a consent that goes.
    """
    own = {of.id, *_ids(connection, select(study.c.id).where(study.c.case_id == of.id))}
    own |= _ids(connection, select(report.c.diagnostic_report_id).where(report.c.case_id == of.id))
    own |= _ids(connection, select(report.c.composition_id).where(report.c.case_id == of.id))
    own |= _referring(connection, of.id, _FOR_THEMSELVES | {"Consent"})
    for patient_id in patients:
        own |= {patient_id} | _referring(connection, patient_id, _FOR_THEMSELVES)
    own |= _told_of(connection, own)
    doomed = own | _shared_targets(connection, own)
    doomed |= _shared_targets(connection, doomed)
    left = doomed - _needed_elsewhere(connection, of, doomed)
    return _ids(connection, select(resource.c.id).where(resource.c.id.in_(left), resource.c.destroyed_at.is_(None)))


def empty_resources(connection: Connection, ids: set[str], now: datetime) -> list[Thing]:
    """Destroy the content of every version of these; gives what was destroyed."""
    size = func.length(resource_version.c.content).label("size")
    query = select(resource.c.type, resource_version.c.resource_id, resource_version.c.version)
    query = query.add_columns(resource_version.c.sha256, size).join(
        resource, resource.c.id == resource_version.c.resource_id
    )
    query = query.where(resource.c.id.in_(ids)).order_by(resource.c.id, resource_version.c.version)
    things = [
        Thing(row.type, f"{row.resource_id}/_history/{row.version}", row.sha256, row.size)
        for row in connection.execute(query)
    ]
    connection.execute(update(resource_version).where(resource_version.c.resource_id.in_(ids)).values(content=b""))
    connection.execute(delete(resource_identifier).where(resource_identifier.c.resource_id.in_(ids)))
    connection.execute(delete(resource_reference).where(resource_reference.c.resource_id.in_(ids)))
    resource_index.forget(connection, ids)
    connection.execute(update(resource).where(resource.c.id.in_(ids)).values(destroyed_at=now))
    return things


def lock_studies(connection: Connection, case_id: str) -> None:
    """Whatever arrives of them waits until the transaction ends."""
    connection.execute(
        select(study.c.id).where(study.c.case_id == case_id).order_by(study.c.id).with_for_update(key_share=True)
    )


def empty_studies(connection: Connection, case_id: str, now: datetime) -> None:
    """Nothing of the patient stays in them, and the same study that comes again is a new one."""
    for study_id in _ids(connection, select(study.c.id).where(study.c.case_id == case_id)):
        gone: dict[str, object] = {"patient_id": "", "issuer_of_patient_id": "", "patient_names": [], "sex": ""}
        gone |= {"birth_date": None, "accession_number": "", "study_date": None, "study_description": ""}
        gone |= {"study_instance_uid": f"destroyed {study_id}", "accession_pseudonym": new_id()}
        gone |= {"state": StudyState.MATCHED, "destroyed_at": now}
        connection.execute(update(study).where(study.c.id == study_id).values(gone))
        _empty_quarantine(connection, study_id, now)


def finish(connection: Connection, case_id: str, now: datetime) -> None:
    """The keys by which studies found the case go as well; it stays closed."""
    connection.execute(delete(case_key).where(case_key.c.case_id == case_id))
    of_case = update(quarantine).where(quarantine.c.case_id == case_id)
    connection.execute(of_case.values(details={}))
    connection.execute(update(case).where(case.c.id == case_id).values(destroyed_at=now))


def _empty_quarantine(connection: Connection, study_id: str, now: datetime) -> None:
    of_study = update(quarantine).where(quarantine.c.study_id == study_id)
    connection.execute(of_study.values(details={}))
    ended = {"resolved_at": now, "resolution": "destroyed", "resolved_by": "retention"}
    connection.execute(of_study.where(quarantine.c.resolved_at.is_(None)).values(ended))


def _referring(connection: Connection, target: str, but: frozenset[str]) -> set[str]:
    """What refers to the target, left out those types that stand for themselves."""
    query = select(resource_reference.c.resource_id).join(resource, resource.c.id == resource_reference.c.resource_id)
    return _ids(connection, query.where(resource_reference.c.target_id == target, resource.c.type.not_in(but)))


def _told_of(connection: Connection, targets: set[str]) -> set[str]:
    """The Provenances about any of these."""
    query = select(resource_reference.c.resource_id).join(resource, resource.c.id == resource_reference.c.resource_id)
    is_about = and_(resource_reference.c.target_id.in_(targets), resource_reference.c.parameter == "target")
    return _ids(connection, query.where(is_about, resource.c.type == "Provenance"))


def _shared_targets(connection: Connection, sources: set[str]) -> set[str]:
    query = select(resource.c.id).join(resource_reference, resource_reference.c.target_id == resource.c.id)
    return _ids(connection, query.where(resource_reference.c.resource_id.in_(sources), resource.c.type.in_(_SHARED)))


def _needed_elsewhere(connection: Connection, of: Case, doomed: set[str]) -> set[str]:
    """The documents of other cases, what anything that stays refers to, and so on."""
    of_others = select(document.c.id).join(case, case.c.id == document.c.case_id)
    of_others = of_others.where(document.c.id.in_(doomed), case.c.id != of.id, case.c.destroyed_at.is_(None))
    needed = _ids(connection, of_others)
    while more := _ids(connection, _shared_with(doomed - needed)):
        needed |= more
    return needed


def _shared_with(doomed: set[str]) -> Select[Any]:
    """Those of `doomed` that a resource refers to which is not one of them."""
    query = select(resource.c.id).join(resource_reference, resource_reference.c.target_id == resource.c.id)
    query = query.where(resource.c.id.in_(doomed), resource.c.type.in_(_SHARED))
    return query.where(resource_reference.c.resource_id.not_in(doomed))


def _ids(connection: Connection, query: Select[Any]) -> set[str]:
    return set(connection.execute(query).scalars())
