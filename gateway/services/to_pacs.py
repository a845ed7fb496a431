"""The report's PDF into the clinic's PACS, as an object of the study that the order names."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from dicom_node.encapsulated_pdf import CONTEXT, ObjectReference, PdfDocument, StudyIdentity, build_encapsulated_pdf
from dicom_node.status import require_delivered
from dicom_node.text import can_spell, character_set_name
from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict, Full, GatewayError, Lacking, NotAsked, Permanent, Transient
from gateway.domain.hooks import reach
from gateway.domain.identity import SEX_BY_CODE, PersonIdentity, contradictions
from gateway.domain.party import DicomAddress
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.domain.record import Case, Delivery, Instance, ReportVersion, Study
from gateway.domain.study import InstanceState
from gateway.services.core import Core
from gateway.services.kept_blobs import kept_blob
from gateway.services.outside import Outside
from gateway.services.patients import patient_of_case
from gateway.services.sending import Sending
from gateway.store import cases, deliveries, parties, reports, studies

TITLE = "Second opinion"


@dataclass(frozen=True)
class _Target:
    """Where the object belongs, and under which UIDs it will be known there: the same at every attempt."""

    address: DicomAddress
    study: Study
    sources: tuple[Instance, ...]
    series_instance_uid: str
    sop_instance_uid: str
    predecessor_sop_instance_uid: str

    def reference(self, sop_instance_uid: str) -> ObjectReference:
        """An object of the report's own series."""
        return ObjectReference(self.study.study_instance_uid, self.series_instance_uid, CONTEXT[0], sop_instance_uid)


def send_to_pacs(core: Core, sending: Sending, outside: Outside) -> Receipt:
    """Add the PDF to the original study, under the patient as the PACS names them today. Raises as `send`."""
    delivery = sending.delivery
    with core.database.read() as connection:
        version = reports.by_id(connection, delivery.subject_id)
        case = cases.by_id(connection, delivery.case_id)
        target = _target(core, connection, case, delivery, version)
        order = patient_of_case(connection, case)
    payload = str(version.pdf_sha256)
    if sending.may_have_left and _is_there(sending, outside, target, payload):
        return _receipt(core, target, version, "0x0000", "was there already")
    study = _the_study(sending, outside, target, payload, order.identity)
    content = _object(core, target, study, version)
    with outside.open_sender(target.address, frozenset({CONTEXT})) as sender:
        sending.permission.require(payload)
        reach("report_to_pacs.before_send")
        status = sender.send(content)
        reach("report_to_pacs.after_send")
    try:
        note = require_delivered(status)
    except Ambiguous:
        if not _has_arrived(sending, outside, target, payload):
            raise
        note = "was there already"
    else:
        note = _looked_for(sending, outside, target, payload, status, note)
    return _receipt(core, target, version, f"0x{status:04X}", note)


def _target(core: Core, connection: Connection, case: Case, delivery: Delivery, version: ReportVersion) -> _Target:
    """The index study that the order names, of those that this PACS owns, or else the first that came from it."""
    endpoint = parties.endpoint_by_id(connection, delivery.endpoint_id)
    owned = [one for one in studies.listed(connection, case_id=case.id) if one.endpoint_id == endpoint.id]
    if endpoint.dicom is None or not owned:
        raise NotAsked("this PACS sent no study of the case, so the report does not belong there")
    named = cases.keys(connection, case.id, cases.STUDY_INSTANCE_UID)
    study = next((one for one in owned if one.study_instance_uid in named), owned[0])
    earlier = [one for one in deliveries.earlier_versions(connection, delivery) if one.state is DeliveryState.DELIVERED]
    before = reports.by_id(connection, earlier[-1].subject_id) if earlier else None
    key, scope = core.pseudonym_key, f"report {endpoint.id}"
    return _Target(
        address=endpoint.dicom,
        study=study,
        sources=tuple(studies.instances(connection, study.id, state=InstanceState.STORED)),
        series_instance_uid=pseudonymous_uid(key, scope, version.report_key),
        sop_instance_uid=pseudonymous_uid(key, scope, _name(version)),
        predecessor_sop_instance_uid=pseudonymous_uid(key, scope, _name(before)) if before else "",
    )


def _name(version: ReportVersion) -> str:
    return f"{version.report_key} {version.version}"


def _the_study(
    sending: Sending, outside: Outside, target: _Target, payload: str, order: PersonIdentity
) -> StudyIdentity:
    """The study as the PACS names it now; patients are merged there, so its words are copied, not ours."""
    uid = target.study.study_instance_uid
    found = outside.find_study(target.address, uid, before_send=partial(sending.permission.require, payload))
    if not found:
        raise Lacking(f"the PACS does not have study {target.study.id} yet, or not any more; it is asked again")
    if len(found) != 1:
        raise Permanent(f"the PACS has {len(found)} studies of that UID; exactly one is needed")
    _require_patient(found[0], order)
    return found[0]


def _require_patient(study: StudyIdentity, order: PersonIdentity) -> None:
    differing = [one.field for one in contradictions(_person(study), order)]
    if differing == ["name"] and not any(can_spell(name, study.character_set) for name in order.names):
        raise Permanent(
            f"the PACS answered in {character_set_name(study.character_set)}, which cannot spell the name in the "
            "order, so nobody can tell whether it is the same patient; nothing was sent; have the PACS answer in "
            "UTF-8 (ISO_IR 192) or Latin-5 (ISO_IR 148); in Orthanc: DefaultEncoding"
        )
    if differing:
        raise Permanent(f"the PACS names another patient for the study ({', '.join(differing)}); nothing was sent")


def _has_arrived(sending: Sending, outside: Outside, target: _Target, payload: str) -> bool:
    """After an answer that left it open; where the PACS may not or cannot be asked now, it stays open."""
    try:
        return _is_there(sending, outside, target, payload)
    except (Conflict, Full, Transient):
        return False


def _looked_for(sending: Sending, outside: Outside, target: _Target, payload: str, status: int, note: str) -> str:
    """The note with what a look says of an object that is stored by the PACS's own word.

    Raises Ambiguous where it is not shown: the index may be late, so the PACS is given time before the next look. One
    that may not or cannot be asked is believed.
    """
    try:
        is_there = _is_there(sending, outside, target, payload)
    except GatewayError as exc:
        looked = f"not looked for there: {exc}"
    else:
        if not is_there:
            sentence = f"the PACS answered 0x{status:04X}, and the report is not there when asked for"
            raise Ambiguous(sentence, retry_after_s=outside.look_again_after_s)
        looked = "seen there by C-FIND"
    return f"{note}; {looked}" if note else looked


def _is_there(sending: Sending, outside: Outside, target: _Target, payload: str) -> bool:
    sought = target.reference(target.sop_instance_uid)
    return outside.has_instance(target.address, sought, before_send=partial(sending.permission.require, payload))


def _person(identity: StudyIdentity) -> PersonIdentity:
    names = tuple(name for name in identity.patient_name.split("=") if name.strip("^ "))
    try:
        birth_date = datetime.strptime(identity.birth_date, "%Y%m%d").date()  # noqa: DTZ007  # a day has no zone
    except ValueError:
        birth_date = None
    return PersonIdentity(names, birth_date, SEX_BY_CODE.get(identity.sex, ""))


def _object(core: Core, target: _Target, study: StudyIdentity, version: ReportVersion) -> bytes:
    before = target.predecessor_sop_instance_uid
    document = PdfDocument(
        pdf=kept_blob(core, str(version.pdf_sha256)),
        title=TITLE,
        made_at=version.created_at,
        series_instance_uid=target.series_instance_uid,
        sop_instance_uid=target.sop_instance_uid,
        instance_number=version.version,
        sources=tuple(
            ObjectReference(
                target.study.study_instance_uid, one.series_instance_uid, one.sop_class_uid, one.sop_instance_uid
            )
            for one in target.sources
        ),
        predecessors=(target.reference(before),) if before else (),
    )
    return build_encapsulated_pdf(document, study)


def _receipt(core: Core, target: _Target, version: ReportVersion, status: str, note: str) -> Receipt:
    return Receipt(core.now(), status, target.sop_instance_uid, str(version.pdf_sha256), note)
