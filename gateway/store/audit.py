"""What the audit trail is written by, and read by: case, subject, patient. `audit_chain` seals and proves it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    String,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    union_all,
)

from gateway.domain.audit_record import AuditRecord
from gateway.domain.case import CaseState
from gateway.domain.errors import NotFound
from gateway.store.tables import VIEWS_OF_BEFORE, audit, audit_tail, resource
from gateway.store.tables import case as cases

if TYPE_CHECKING:
    from gateway.domain.record import Delivery  # `audit patient` answers without it

CASE_RESTORED = "case.restored"
"""The action that says: the case came from a backup, and what happened to it since is not known."""
SETTINGS_CHANGED = "settings.changed"
"""The action that says: a program has other settings than the last one of its kind."""
_VIEW = "page.view"
_PATIENT_OF_CASE = select(cases.c.patient_id).where(cases.c.id == bindparam("of_case", type_=String))
_ADD = (
    insert(audit)
    .values(patient_id=func.coalesce(bindparam("of_patient", type_=String), _PATIENT_OF_CASE.scalar_subquery()))
    .returning(audit.c.id)
)
_ADD_TO_TAIL = insert(audit_tail)
_RESTORED_AT = select(func.max(audit.c.at)).where(
    audit.c.case_id == bindparam("of_case"), audit.c.action == CASE_RESTORED
)


def record(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    outcome: str = "success",
    case_id: str | None = None,
    patient_id: str | None = None,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add one row to the current transaction. `subject` and `details` hold ids and codes, never patient data.
    The reason that a person typed is free text: whoever types it is told to name nobody.

    `patient_id` is the id of the patient's FHIR resource; where it is left out, that of the case's patient.
    """
    row = {"at": at, "actor": actor, "action": action, "outcome": outcome, "case_id": case_id}
    row |= {"of_case": case_id, "of_patient": patient_id}
    values = row | {"subject": subject, "details": dict(details or {})}
    audit_id = connection.execute(_ADD, values).scalar_one()
    connection.execute(_ADD_TO_TAIL, {"audit_id": audit_id})


def record_of_case(
    connection: Connection,
    case_id: str,
    action: str,
    *,
    at: datetime,
    actor: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """What became of the case itself."""
    subject = f"case/{case_id}"
    record(connection, at=at, actor=actor, action=action, case_id=case_id, subject=subject, details=details)


def record_of_delivery(
    connection: Connection,
    of: "Delivery",
    action: str,
    *,
    at: datetime,
    actor: str,
    outcome: str = "success",
    details: Mapping[str, Any] | None = None,
) -> None:
    """What became of one delivery."""
    record(
        connection,
        at=at,
        actor=actor,
        action=action,
        outcome=outcome,
        case_id=of.case_id,
        subject=f"delivery/{of.id}",
        details=details,
    )


def of_case(
    connection: Connection, case_id: str, *, actions: Sequence[str] = (), subject: str | None = None
) -> list[Row[Any]]:
    """The rows of one case, oldest first, optionally only these actions, or those about one subject."""
    query = select(audit).where(audit.c.case_id == case_id).order_by(audit.c.id)
    query = query if subject is None else query.where(audit.c.subject == subject)
    return list(connection.execute(query.where(audit.c.action.in_(actions)) if actions else query).all())


def last_in_closed_cases(
    connection: Connection, actions: Sequence[str], *, case_id: str | None = None
) -> list[Row[Any]]:
    """The last row with one of these actions about each subject, oldest first.

    Of the cases that are closed and not destroyed, or of that one if it is.
    """
    is_kept = and_(cases.c.state == CaseState.CLOSED, cases.c.destroyed_at.is_(None))
    is_kept = is_kept if case_id is None else and_(is_kept, cases.c.id == case_id)
    last = select(func.max(audit.c.id)).join(cases, cases.c.id == audit.c.case_id)
    named = audit.c.action.in_(bindparam("actions", actions, expanding=True, literal_execute=True))
    last = last.where(is_kept, named).group_by(audit.c.subject)  # literal: a parameter uses no partial index
    return list(connection.execute(select(audit).where(audit.c.id.in_(last)).order_by(audit.c.id)).all())


def restored_at(connection: Connection, case_id: str) -> datetime | None:
    """When the case last came from a backup; None when it never did."""
    return connection.execute(_RESTORED_AT, {"of_case": case_id}).scalar()


def newest_settings(connection: Connection, subject: str) -> Row[Any] | None:
    """The last row that says which settings a program had; None where there is none."""
    is_it = audit.c.action == bindparam("action", SETTINGS_CHANGED, literal_execute=True)  # it has a partial index
    newest = select(audit).where(is_it, audit.c.subject == subject).order_by(audit.c.id.desc()).limit(1)
    return connection.execute(newest).first()


def newest_of_case(connection: Connection, case_id: str, limit: int) -> list[Row[Any]]:
    """The last rows of one case, newest first."""
    query = select(audit).where(audit.c.case_id == case_id).order_by(audit.c.id.desc())
    return list(connection.execute(query.limit(limit)).all())


def of_patient(
    connection: Connection,
    patient_id: str,
    *,
    actions: Sequence[str] = (),
    since: datetime | None = None,
    before: int = 0,
    limit: int,
) -> list[Row[Any]]:
    """The last rows about one patient, newest first, optionally only these actions, and none before `since`.

    With `before` those with a lower id. Rows of a version that did not name the patient are found by the patient's
    cases, also those of lists, which named the cases in their details.
    """
    own_cases = select(cases.c.id).where(cases.c.patient_id == patient_id)
    named = select(audit).where(audit.c.patient_id == patient_id)
    is_unnamed = func.coalesce(audit.c.patient_id, "") == ""  # no index has it: rows without a patient are many
    unnamed = select(audit).where(is_unnamed, audit.c.case_id.in_(own_cases))
    parts = [(named, audit.c.id), (unnamed, audit.c.id + 0)]  # by its bare id SQLite would walk the whole trail
    parts = [(one.where(audit.c.id < before) if before else one, order) for one, order in parts]
    newest = [_narrowed(one, actions, since).order_by(order.desc()).limit(limit) for one, order in parts]
    both = union_all(*(select(part.subquery()) for part in newest)).subquery()
    found = list(connection.execute(select(both).order_by(both.c.id.desc()).limit(limit)).all())
    case_ids = connection.execute(own_cases).scalars().all()
    if not case_ids or (actions and _VIEW not in actions):
        return found
    listed = _narrowed(_lists_with(case_ids), (), since)
    listed = (listed.where(audit.c.id < before) if before else listed).order_by(audit.c.id.desc()).limit(limit)
    return sorted([*found, *connection.execute(listed)], key=lambda row: int(row.id), reverse=True)[:limit]


def _lists_with(case_ids: Sequence[str]) -> Select[Any]:
    """Lists of before with one of these cases in their details, as JSON."""
    written = cast(audit.c.details, Text)
    has_one = [written.contains(f'"{case_id}"', autoescape=True) for case_id in case_ids]
    return select(audit).where(VIEWS_OF_BEFORE, or_(*has_one))


def require_patient(connection: Connection, patient_id: str) -> str:
    """The id of the clinic whose patient it is or was.

    Raises NotFound where there never was a patient of that id; one that was destroyed is found.
    """
    is_it = (resource.c.id == patient_id) & (resource.c.type == "Patient")
    clinic_id: str | None = connection.execute(select(resource.c.party_id).where(is_it)).scalar()
    if clinic_id is None:
        raise NotFound(f"no Patient/{patient_id}")
    return clinic_id


def record_of(row: Row[Any], *, patient_id: str = "") -> AuditRecord:
    """A row as the domain has it; of `patient_id` where the row does not name its patient."""
    return AuditRecord(
        row.id,
        row.at,
        row.actor,
        row.action,
        row.outcome,
        row.case_id or "",
        row.patient_id or patient_id,
        row.subject,
        row.details,
    )


def _narrowed(query: Select[Any], actions: Sequence[str], since: datetime | None) -> Select[Any]:
    query = query.where(audit.c.action.in_(actions)) if actions else query
    return query if since is None else query.where(audit.c.at >= since)
