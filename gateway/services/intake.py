"""An instance arrives: durable bytes, one transaction, and only then an acknowledgement (design: promises 1 and 5)."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from dicom_node.deidentify import pseudonym_token
from dicom_node.equivalence import Likeness, compare
from gateway.domain.errors import Transient
from gateway.domain.identity import PersonIdentity, contradictions
from gateway.domain.party import Endpoint
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
    seen: frozenset[int] = frozenset()


_NEVER_SEEN = _Verdict(InstanceState.STORED)
_MOST_RACES = 5


def receive(core: Core, arrival: Arrival) -> None:
    """Make one object durable; when this returns it is kept, catalogued and its study will be looked at.

    The same object again is a no-op. Raises Transient or Full; nothing was promised then.
    """
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
        if frozenset(one.id for one in earlier) != verdict.seen:
            return False
        _catalogue(core, connection, arrival, verdict)
    return True


def _judge(core: Core, arrival: Arrival) -> _Verdict | None:
    """How it relates to what is there; None when the very same object is kept already (preamble, group 2 aside)."""
    with core.database.read() as connection:
        uid = arrival.header.sop_instance_uid
        earlier = studies.same_sop_instance(connection, arrival.endpoint.party_id, uid)
    if any(one.blob_sha256 == arrival.blob_sha256 for one in earlier):
        return None
    seen = frozenset(one.id for one in earlier)
    kept = [one for one in earlier if one.state != InstanceState.REJECTED]
    return _compared(core, arrival, kept, seen) if kept else _Verdict(InstanceState.STORED, seen=seen)


def _compared(core: Core, arrival: Arrival, kept: list[Instance], seen: frozenset[int]) -> _Verdict:
    content = core.blobs.get(arrival.blob_sha256)
    likeness = {compare(core.blobs.get(one.blob_sha256), content) for one in kept}
    if likeness & {Likeness.SAME_BYTES, Likeness.SAME_CONTENT}:
        return _Verdict(InstanceState.ENCODING, seen=seen)
    if Likeness.SAME_PIXELS in likeness:
        reason = "correction: the same pixels came again under the same SOP Instance UID with other attributes"
        return _Verdict(InstanceState.QUARANTINED, reason, seen)
    reason = "collision: another object came under the same SOP Instance UID; both are kept, the first one is used"
    return _Verdict(InstanceState.QUARANTINED, reason, seen)


def _catalogue(core: Core, connection: Connection, arrival: Arrival, verdict: _Verdict) -> None:
    header, clinic_id, now = arrival.header, arrival.endpoint.party_id, core.now()
    study = studies.touched(connection, clinic_id, header.study_instance_uid, now)
    if study is None:
        study = studies.begun(connection, _study_values(core, arrival))
    elif study.state is StudyState.REJECTED:
        study = _begun_anew(core, connection, arrival, study)
    differences = contradictions(_identity(header), _stated(study))
    if differences and verdict.state is InstanceState.STORED:
        verdict = _Verdict(InstanceState.QUARANTINED, "identity: the object names another patient than its study")
    values = _instance_values(arrival, study.id, verdict.state) | {"received_at": now}
    instance_id = studies.add_instance(connection, values)
    if verdict.state is InstanceState.QUARANTINED:
        shown = {"differences": [[one.field, one.in_header, one.in_order] for one in differences]}
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


def _begun_anew(core: Core, connection: Connection, arrival: Arrival, study: Study) -> Study:
    """A rejected study comes again, corrected: it is what the new object says, and nothing of before is used."""
    stated = _study_values(core, arrival) | {"state": StudyState.RECEIVING, "case_id": None, "accepted_case_id": None}
    studies.change(connection, study.id, **stated)
    return studies.by_id(connection, study.id)


def _study_values(core: Core, arrival: Arrival) -> dict[str, object]:
    header, now = arrival.header, core.now()
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
