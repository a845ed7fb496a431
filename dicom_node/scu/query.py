"""C-ECHO and Study Root C-FIND (PS3.4 A, C)."""

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # pynetdicom makes the names at import
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from dicom_node.encapsulated_pdf import ObjectReference, StudyIdentity
from dicom_node.scu.association import Timeouts, associated
from dicom_node.text import character_set_encoding, decode_text
from gateway.domain.errors import Permanent, Transient, Unreachable
from gateway.domain.hooks import reach
from gateway.domain.party import DicomAddress

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")  # explicit and implicit VR little endian
_KEYS = {  # field of StudyIdentity -> attribute asked for (PS3.4 Table C.6-5)
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_id": "StudyID",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "referring_physician_name": "ReferringPhysicianName",
    "study_instance_uid": "StudyInstanceUID",
}


def echo(
    address: DicomAddress,
    calling_ae_title: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> None:
    """Return when the node answered a C-ECHO with success. Raises Transient or Permanent."""
    with associated(address, calling_ae_title, [build_context(Verification, list(UNCOMPRESSED))], timeouts) as peer:
        status = peer.send_c_echo()
        if "Status" not in status:
            raise Unreachable(f"{address.ae_title} did not answer C-ECHO in time")
        if status.Status != 0:
            raise Permanent(f"{address.ae_title} answered C-ECHO with 0x{status.Status:04X}")


def find_study(
    address: DicomAddress,
    calling_ae_title: str,
    study_instance_uid: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> list[StudyIdentity]:
    """Every study the archive answers for that UID, as it answers: none and more than one are for the caller to judge.

    Raises Transient (unreachable, out of resources, no answer in time) or Permanent (refused, query not supported).
    """
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    for keyword in _KEYS.values():
        setattr(query, keyword, "")
    query.StudyInstanceUID = study_instance_uid
    found = [_identity(one) for one in _find(address, calling_ae_title, query, timeouts)]
    return [study for study in found if study.study_instance_uid == study_instance_uid]


def has_instance(
    address: DicomAddress,
    calling_ae_title: str,
    reference: ObjectReference,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> bool:
    """Whether the archive finds the object at IMAGE level. Raises as `find_study`."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = reference.study_instance_uid
    query.SeriesInstanceUID = reference.series_instance_uid
    query.SOPInstanceUID = reference.sop_instance_uid
    found = {_text(one, "SOPInstanceUID") for one in _find(address, calling_ae_title, query, timeouts)}
    return reference.sop_instance_uid in found


def _find(address: DicomAddress, calling_ae_title: str, query: Dataset, timeouts: Timeouts) -> list[Dataset]:
    """Every identifier that a Study Root C-FIND answers (PS3.4 C.4.1)."""
    model = StudyRootQueryRetrieveInformationModelFind
    found = []
    with associated(address, calling_ae_title, [build_context(model, list(UNCOMPRESSED))], timeouts) as peer:
        reach("query.before_send")
        for status, identifier in peer.send_c_find(query, model):
            code = status.get("Status")
            if code is None:
                raise Unreachable(f"{address.ae_title} broke off the query")
            if code in (0xFF00, 0xFF01) and identifier is not None:  # PS3.4 C.4.1.1.4: pending
                found.append(identifier)
            elif code != 0:
                _refuse(address, code)
        reach("query.after_send")
    return found


def _text(identifier: Dataset, keyword: str) -> str:
    return decode_text(_raw(identifier, keyword), character_set_encoding(b"")).strip(" \0")


def _refuse(address: DicomAddress, code: int) -> None:
    """PS3.4 Table C.4-1."""
    sentence = f"{address.ae_title} failed the query (0x{code:04X})"
    raise Transient(sentence) if code in (0xA700, 0xFE00) else Permanent(sentence)


def _identity(identifier: Dataset) -> StudyIdentity:
    encoding = character_set_encoding(_raw(identifier, "SpecificCharacterSet"))
    return StudyIdentity(
        character_set=_text(identifier, "SpecificCharacterSet"),
        **{field: decode_text(_raw(identifier, keyword), encoding).strip(" \0") for field, keyword in _KEYS.items()},
    )


def _raw(identifier: Dataset, keyword: str) -> bytes:
    """The value as it came: pydicom's own decoding warns, and its warnings quote the value."""
    tag = Tag(keyword)
    element: object = identifier.get_item(tag) if tag in identifier else None
    return (element.value or b"") if isinstance(element, RawDataElement) else b""
