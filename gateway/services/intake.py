"""An instance arrives: durable bytes, one transaction, and only then an acknowledgement (design: promises 1 and 5)."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from dicom_node.equivalence import KeptObject, Likeness, compare_kept
from gateway.domain import trace
from gateway.domain.errors import Transient
from gateway.domain.identity import PersonIdentity, contradictions
from gateway.domain.party import Endpoint
from gateway.domain.pseudonym import pseudonym_token
from gateway.domain.record import Instance, Study
from gateway.domain.study import InstanceHeader, InstanceState, StudyState
from gateway.domain.work import JobKind
from gateway.services.core import Core
from gateway.store import audit, outbox, studies
from gateway.store.studies import Place

ACCESSION_PREFIX = "AC"
"""First letters of the accession numbers under which studies leave."""


@dataclass(frozen=True)
class Arrival:
    """One received object in the spool, already on the disk.

    A Part 10 file: a header made from three UIDs, then the data set exactly as received; so `blob_sha256` is equal for
    equal data sets in equal transfer syntaxes.
    """

    path: Path
    header: InstanceHeader
    blob_sha256: str
    size_bytes: int
    endpoint: Endpoint
    association_id: str


@dataclass(frozen=True)
class _Verdict:
    """How the arrival relates to what the clinic sent under the same SOP Instance UID before."""

    state: InstanceState
    reason: str = ""
    seen: frozenset[tuple[int, str]] = frozenset()
    rejected_id: int | None = None
    """The instance of these very bytes that was rejected with its study, and is taken up again."""


_NEVER_SEEN = _Verdict(InstanceState.STORED)
_MOST_RACES = 5


def receive(core: Core, arrival: Arrival) -> None:
    """Make one object durable; when this returns it is kept, catalogued and its study will be looked at.

    The same object again is a no-op, unless its study was rejected: then the study begins anew. Raises
    Transient or Full; nothing was promised then.
    """
    with trace.span("intake", association=arrival.association_id, size_bytes=arrival.size_bytes):
        _receive(core, arrival)


def _receive(core: Core, arrival: Arrival) -> None:
    core.blobs.require_room(arrival.size_bytes)
    core.blobs.adopt(arrival.path, arrival.blob_sha256)
    verdict: _Verdict | None = _NEVER_SEEN
    for _ in range(_MOST_RACES):
        if verdict is None or _is_catalogued(core, arrival, verdict):
            return
        verdict = _judge(core, arrival)
    raise Transient("the same SOP Instance UID keeps arriving on other associations; send it again")


def _is_catalogued(core: Core, arrival: Arrival, verdict: _Verdict) -> bool:
    """False when the verdict was made without something that arrived meanwhile; nothing was written then."""
    clinic_id, uid = arrival.endpoint.party_id, arrival.header.sop_instance_uid
    with core.database.write("intake") as connection:
        studies.lock_sop_instance(connection, clinic_id, uid)
        earlier = studies.same_sop_instance(connection, clinic_id, uid)
        if _seen(earlier) != verdict.seen:
            return False
        _catalogue(core, connection, arrival, verdict)
    return True


def _judge(core: Core, arrival: Arrival) -> _Verdict | None:
    """How it relates to what is there; None when the very same object is kept already (preamble, group 2 aside)."""
    with core.database.read() as connection:
        uid = arrival.header.sop_instance_uid
        earlier = studies.same_sop_instance(connection, arrival.endpoint.party_id, uid)
        same = next((one.id for one in earlier if one.blob_sha256 == arrival.blob_sha256), None)
        if same is not None and not studies.went_with_its_study(connection, same):
            return None
    kept = [one for one in earlier if one.state != InstanceState.REJECTED]
    verdict = _compared(core, arrival, kept) if kept else _NEVER_SEEN
    return replace(verdict, seen=_seen(earlier), rejected_id=same)


def _seen(earlier: list[Instance]) -> frozenset[tuple[int, str]]:
    return frozenset((one.id, one.state) for one in earlier)


def _compared(core: Core, arrival: Arrival, kept: list[Instance]) -> _Verdict:
    new = _kept_object(core, arrival.size_bytes, arrival.blob_sha256)
    likeness = {compare_kept(_kept_object(core, one.size_bytes, one.blob_sha256), new) for one in kept}
    if likeness & {Likeness.SAME_BYTES, Likeness.SAME_CONTENT}:
        return _Verdict(InstanceState.ENCODING)
    if Likeness.SAME_PIXELS in likeness:
        reason = "correction: the same pixels came again under the same SOP Instance UID with other attributes"
        return _Verdict(InstanceState.QUARANTINED, reason)
    if Likeness.UNCOMPARED in likeness:
        reason = "uncompared: what came under the same SOP Instance UID is too large to be compared; both are kept"
        return _Verdict(InstanceState.QUARANTINED, reason)
    reason = "collision: another object came under the same SOP Instance UID; both are kept, the first one is used"
    return _Verdict(InstanceState.QUARANTINED, reason)


def _kept_object(core: Core, size_bytes: int, blob_sha256: str) -> KeptObject:
    return KeptObject(size_bytes, partial(core.blobs.get, blob_sha256))


def _catalogue(core: Core, connection: Connection, arrival: Arrival, verdict: _Verdict) -> None:
    header, clinic_id, now = arrival.header, arrival.endpoint.party_id, core.now()
    study = studies.touched(connection, clinic_id, header.study_instance_uid, now)
    if study is None:
        study = studies.begun(connection, _study_values(core, arrival, now))
    elif study.state is StudyState.REJECTED:
        study = _begun_anew(core, connection, arrival, study, now)
    differences = contradictions(_identity(header), _stated(study))
    if differences and verdict.state is InstanceState.STORED:
        reason = "identity: the object names another patient than its study"
        verdict = replace(verdict, state=InstanceState.QUARANTINED, reason=reason)
    instance_id = _kept(connection, arrival, study, verdict, now)
    if verdict.state is InstanceState.QUARANTINED:
        shown: dict[str, object] = {"SOP Instance UID": header.sop_instance_uid, "series": header.series_instance_uid}
        shown["differences"] = [[one.field, one.in_header, one.in_order] for one in differences]
        where = Place(study.case_id, study.id, instance_id)
        studies.put_in_quarantine(connection, "instance", verdict.reason, where, details=shown, now=now)
    audit.record(
        connection,
        at=now,
        actor=arrival.endpoint.name,
        case_id=study.case_id,
        action="instance.received",
        subject=f"instance/{instance_id}",
        details={"association": arrival.association_id, "state": str(verdict.state)},
    )
    due_at = now + core.quiet_period
    outbox.enqueue(connection, JobKind.STUDY_SETTLE, study.id, case_id=None, now=now, due_at=due_at)


def _kept(connection: Connection, arrival: Arrival, study: Study, verdict: _Verdict, now: datetime) -> int:
    """Gives the id of the instance."""
    if verdict.rejected_id is not None:
        studies.take_up_again(connection, verdict.rejected_id, verdict.state, now)
        return verdict.rejected_id
    values = _instance_values(arrival, study.id, verdict.state) | {"received_at": now}
    return studies.add_instance(connection, values)


def _begun_anew(core: Core, connection: Connection, arrival: Arrival, study: Study, now: datetime) -> Study:
    """A rejected study comes again: it is what the new object says, and only what comes again is used."""
    stated = _study_values(core, arrival, now) | {
        "state": StudyState.RECEIVING,
        "case_id": None,
        "accepted_case_id": None,
    }
    studies.change(connection, study.id, **stated)
    return studies.by_id(connection, study.id)


def _study_values(core: Core, arrival: Arrival, now: datetime) -> dict[str, object]:
    header = arrival.header
    scope = f"accession {arrival.endpoint.party_id}"
    return {
        "clinic_id": arrival.endpoint.party_id,
        "endpoint_id": arrival.endpoint.id,
        "study_instance_uid": header.study_instance_uid,
        "patient_id": header.patient_id,
        "issuer_of_patient_id": header.issuer_of_patient_id,
        "patient_names": list(header.patient_names),
        "birth_date": header.birth_date,
        "sex": header.sex,
        "accession_number": header.accession_number,
        "accession_pseudonym": pseudonym_token(
            core.pseudonym_key, scope, header.study_instance_uid, prefix=ACCESSION_PREFIX
        ),
        "study_date": header.study_date,
        "study_description": header.study_description,
        "first_received_at": now,
        "last_received_at": now,
    }


def _instance_values(arrival: Arrival, study_id: str, state: InstanceState) -> dict[str, object]:
    header = arrival.header
    return {
        "study_id": study_id,
        "clinic_id": arrival.endpoint.party_id,
        "series_instance_uid": header.series_instance_uid,
        "sop_instance_uid": header.sop_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "transfer_syntax_uid": header.transfer_syntax_uid,
        "modality": header.modality,
        "series_number": header.series_number,
        "instance_number": header.instance_number,
        "state": state,
        "blob_sha256": arrival.blob_sha256,
        "size_bytes": arrival.size_bytes,
    }


def _identity(header: InstanceHeader) -> PersonIdentity:
    return PersonIdentity(header.patient_names, header.birth_date, header.sex)


def _stated(study: Study) -> PersonIdentity:
    return PersonIdentity(study.patient_names, study.birth_date, study.sex)
