"""A person looks at what waits, and accepts or rejects it."""

from sqlalchemy import Connection

from gateway.domain.errors import Conflict
from gateway.domain.study import InstanceState, StudyState
from gateway.domain.work import JobKind
from gateway.services.core import Core
from gateway.store import audit, cases, outbox, studies
from gateway.store.studies import Quarantined


def accept(core: Core, quarantine_id: str, *, actor: str) -> None:
    """The person in the images is the person in the order; the object belongs to the study.

    Raises NotFound, and Conflict when it is resolved already or cannot be accepted.
    """
    with core.database.write("quarantine.accept") as connection:
        entry = _open(connection, quarantine_id)
        if entry.kind == "deidentification":
            raise Conflict("what the engine cannot treat is not sent; reject it to send the study without it")
        if entry.kind == "instance" and _is_uid_in_use(connection, entry):
            raise Conflict("another object under this SOP Instance UID is in use and stays so; reject this one")
        if entry.kind == "identity" and entry.study_id:
            studies.change(connection, entry.study_id, accepted_case_id=entry.case_id, state=StudyState.UNMATCHED)
        if entry.instance_id is not None:
            studies.set_instance_state(connection, entry.instance_id, InstanceState.STORED)
        _resolve(core, connection, entry, "accepted", actor)


def reject(core: Core, quarantine_id: str, *, actor: str) -> None:
    """It is kept and not used: the study joins no case, the object leaves with nothing. Raises as `accept`."""
    with core.database.write("quarantine.reject") as connection:
        entry = _open(connection, quarantine_id)
        if entry.kind == "identity" and entry.study_id:
            _reject_study(core, connection, entry, entry.study_id, actor)
        if entry.instance_id is not None:
            studies.set_instance_state(connection, entry.instance_id, InstanceState.REJECTED)
        _resolve(core, connection, entry, "rejected", actor)


def _reject_study(core: Core, connection: Connection, entry: Quarantined, study_id: str, actor: str) -> None:
    """With every object of it, also those about which a person has not decided yet, and without a person's link."""
    waiting = [one.id for one in studies.quarantined(connection, study_id=study_id) if one.id != entry.id]
    others = [studies.lock_quarantined(connection, one) for one in waiting]
    study = studies.by_id(connection, study_id)
    cases.unlink(connection, study.clinic_id, study.study_instance_uid)
    studies.change(connection, study_id, state=StudyState.REJECTED)
    studies.reject_instances(connection, study_id)
    for one in others:
        if one.resolved_at is None:
            _resolve(core, connection, one, "rejected", actor)


def _is_uid_in_use(connection: Connection, entry: Quarantined) -> bool:
    if entry.instance_id is None:
        return False
    same = studies.sharing_uid(connection, entry.instance_id)
    return any(one.id != entry.instance_id and one.state == InstanceState.STORED for one in same)


def _open(connection: Connection, quarantine_id: str) -> Quarantined:
    """The entry, locked: people who decide on it, or on objects under one SOP Instance UID, at once take turns."""
    entry = studies.quarantined_by_id(connection, quarantine_id)
    if entry.instance_id is not None:
        studies.lock_sop_instance_of(connection, entry.instance_id)  # before any row, as an arriving object does
    entry = studies.lock_quarantined(connection, quarantine_id)
    if entry.resolved_at is not None:
        raise Conflict(f"{quarantine_id} was {entry.resolution} already")
    return entry


def _resolve(core: Core, connection: Connection, entry: Quarantined, resolution: str, actor: str) -> None:
    now = core.now()
    studies.resolve(connection, entry.id, resolution=resolution, by=actor, now=now)
    audit.record(
        connection,
        at=now,
        actor=actor,
        action=f"quarantine.{resolution}",
        case_id=entry.case_id,
        subject=f"quarantine/{entry.id}",
    )
    if entry.study_id:
        outbox.enqueue(connection, JobKind.STUDY_SETTLE, entry.study_id, case_id=None, now=now)
