"""A permit went after something may have left under it: a notice asks for it back, and the clinic reads of it."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from fhir_mappings.codes import RECALL_SYSTEM
from fhir_mappings.recall_communication import RecallMessage, recall_communication
from gateway.domain.delivery import DeliveryKind, ReadGrant
from gateway.domain.errors import Conflict
from gateway.domain.party import Identifier
from gateway.domain.record import Disclosed, RecallNotice
from gateway.domain.resource import StoredResource
from gateway.services.core import Core
from gateway.services.disclosure import recipient_of
from gateway.services.recall import disclosed_of, granted_times, line
from gateway.services.resources import store_internal
from gateway.store import audit, cases, recalls, resources

_KEPT_BY_CLINIC = {
    DeliveryKind.STUDY_TO_REVIEWER: "ImagingStudy",
    DeliveryKind.DOCUMENT_TO_REVIEWER: "DocumentReference",
}
"""What a clinic can read of what left. A report is the reviewer's, and named by its delivery alone."""


def notify(connection: Connection, disclosed: Disclosed, consent: StoredResource, *, now: datetime, actor: str) -> None:
    """Leave a notice for whoever has to ask for it back; one that was acknowledged stands anew after a new grant."""
    earlier = recalls.of_disclosed(connection, disclosed, consent.id)
    if earlier is not None and not _is_granted_since(connection, earlier, disclosed):
        return
    reason = f"consent {consent.id} version {consent.version} no longer permits what had been granted before"
    if earlier is None:
        recall_id = recalls.add(connection, disclosed, consent.id, reason=reason, now=now)
    else:
        recall_id = earlier.id
        recalls.raise_again(connection, recall_id, reason=reason, now=now)
    audit.record(
        connection,
        at=now,
        actor=actor,
        case_id=disclosed.case_id,
        action="recall.notice",
        subject=recalls.subject_of(recall_id),
        details={**_named(disclosed), "consent": f"{consent.id}/{consent.version}"},
    )
    _tell_clinic(connection, recalls.by_id(connection, recall_id), now)


def withdraw(connection: Connection, disclosed: Disclosed, *, now: datetime, actor: str, consent: str) -> None:
    """The patient permits it again, by `consent` (`id/version`): nobody has to ask for it back."""
    for notice in recalls.listed(connection, case_id=disclosed.case_id):
        if notice.disclosed_id == disclosed.id:
            audit.record(
                connection,
                at=now,
                actor=actor,
                case_id=disclosed.case_id,
                action=recalls.WITHDRAWN,
                subject=recalls.subject_of(notice.id),
                details={**_named(disclosed), "consent": consent},
            )
            _tell_clinic(connection, notice, now, withdrawn_by=consent)


def acknowledge(core: Core, recall_id: str, *, actor: str) -> None:
    """`actor` has asked the recipient for it. Raises NotFound, and Conflict for one that is acknowledged already."""
    with core.database.write("recall.acknowledge") as connection:
        cases.lock(connection, recalls.by_id(connection, recall_id).case_id)
        notice, now = recalls.by_id(connection, recall_id), core.now()
        if notice.acknowledged_at is not None:
            raise Conflict(f"recall notice {recall_id} was acknowledged by {notice.acknowledged_by}")
        audit.record(
            connection,
            at=now,
            actor=actor,
            case_id=notice.case_id,
            action=recalls.ACKNOWLEDGED,
            subject=recalls.subject_of(notice.id),
            details={**_named(disclosed_of(connection, notice)), "consent": notice.consent_id},
        )
        _tell_clinic(connection, replace(notice, acknowledged_at=now, acknowledged_by=actor), now)


def _named(disclosed: Disclosed) -> dict[str, str]:
    """What an audit row calls it: a delivery, or what was read by which party."""
    if isinstance(disclosed, ReadGrant):
        return {"read": disclosed.subject, "party": disclosed.party_id}
    return {"delivery": disclosed.id}


def _is_granted_since(connection: Connection, notice: RecallNotice, disclosed: Disclosed) -> bool:
    """True when the notice was acknowledged and more was granted afterwards."""
    times = granted_times(connection, disclosed)
    return notice.acknowledged_at is not None and times[-1] > notice.acknowledged_at


def _tell_clinic(connection: Connection, notice: RecallNotice, now: datetime, *, withdrawn_by: str = "") -> None:
    """The notice as a Communication of the clinic's, or a new version of it; none for what is destroyed."""
    case = cases.by_id(connection, notice.case_id)
    if case.destroyed_at is not None:
        return
    disclosed = disclosed_of(connection, notice)
    message = RecallMessage(
        notice=notice,
        patient_id=case.patient_id,
        recipient=recipient_of(connection, disclosed),
        about=_about(connection, case.clinic_id, disclosed),
        words=line(connection, notice).request,
        withdrawn_by=withdrawn_by,
    )
    found = resources.id_by_identifier(
        connection, case.clinic_id, "Communication", Identifier(RECALL_SYSTEM, notice.id)
    )
    content = recall_communication(message) | ({"id": found} if found else {})
    store_internal(connection, case.clinic_id, content, now=now)


def _about(connection: Connection, clinic_id: str, disclosed: Disclosed) -> str:
    """What left, as the clinic can read it; '' where it cannot."""
    if isinstance(disclosed, ReadGrant):
        return f"ServiceRequest/{disclosed.case_id}"
    kind = _KEPT_BY_CLINIC.get(disclosed.kind)
    is_there = kind is not None and resources.type_of(connection, clinic_id, disclosed.subject_id) == kind
    return f"{kind}/{disclosed.subject_id}" if is_there else ""
