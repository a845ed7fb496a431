"""C-ECHO and Study Root C-FIND (PS3.4 A, C)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.association import Association
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
_UNIQUE_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def echo(
    address: DicomAddress,
    calling_ae_title: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> None:
    """Return when the node answered a C-ECHO with success. Raises Transient or Permanent."""
    with associated(address, calling_ae_title, [build_context(Verification, list(UNCOMPRESSED))], timeouts) as peer:
        with _leaving(address):
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
    *,
    before_send: Callable[[], None],
) -> list[StudyIdentity]:
    """Every study the archive answers for that UID, as it answers: none and more than one are for the caller to judge.

    `before_send` is called immediately before each query leaves.

    Raises Transient (unreachable, out of resources, no answer in time) or Permanent (refused, query not supported), and
    whatever `before_send` raises.
    """
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    for keyword in _KEYS.values():
        setattr(query, keyword, "")
    query.StudyInstanceUID = study_instance_uid
    with _asking(address, calling_ae_title, timeouts, before_send) as find:
        found = [_identity(one) for one in find(query)]
    return [study for study in found if study.study_instance_uid == study_instance_uid]


def has_instance(
    address: DicomAddress,
    calling_ae_title: str,
    reference: ObjectReference,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    *,
    before_send: Callable[[], None],
) -> bool:
    """Whether the archive finds the object at IMAGE level. Raises as `find_study`."""
    query = _unique_keys(
        "IMAGE", reference.study_instance_uid, reference.series_instance_uid, reference.sop_instance_uid
    )
    with _asking(address, calling_ae_title, timeouts, before_send) as find:
        return reference.sop_instance_uid in {_text(one, "SOPInstanceUID") for one in find(query)}


def find_instances(
    address: DicomAddress,
    calling_ae_title: str,
    study_instance_uid: str,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    *,
    before_send: Callable[[], None],
) -> frozenset[str]:
    """The SOP Instance UIDs of everything that the node has of the study; raises as `find_study`.

    A query names one entity above its level (PS3.4 C.4.1.1.3.2): the series are asked for first, over one association.
    """
    with _asking(address, calling_ae_title, timeouts, before_send) as find:
        series = {_text(one, "SeriesInstanceUID") for one in find(_unique_keys("SERIES", study_instance_uid, ""))}
        found = [
            one for uid in sorted(series - {""}) for one in find(_unique_keys("IMAGE", study_instance_uid, uid, ""))
        ]
    return frozenset(_text(one, "SOPInstanceUID") for one in found)


def _unique_keys(level: str, *uids: str) -> Dataset:
    """A query by the unique keys from the study down to that level (PS3.4 Table C.6-1 ff.); "" asks for all."""
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, uid in zip(_UNIQUE_KEYS, uids, strict=False):
        setattr(query, keyword, uid)
    return query


@contextmanager
def _asking(
    address: DicomAddress, calling_ae_title: str, timeouts: Timeouts, before_send: Callable[[], None]
) -> Iterator[Callable[[Dataset], list[Dataset]]]:
    """An association for queries; gives what asks one."""
    contexts = [build_context(StudyRootQueryRetrieveInformationModelFind, list(UNCOMPRESSED))]
    with associated(address, calling_ae_title, contexts, timeouts) as peer:
        yield partial(_find, peer, address, before_send)


@contextmanager
def _leaving(address: DicomAddress) -> Iterator[None]:
    """A peer that leaves at this moment: pynetdicom sends nothing where it knows, else the socket refuses."""
    try:
        yield
    except (OSError, RuntimeError) as exc:
        raise Unreachable(f"the association with {address.ae_title} is gone; nothing was answered") from exc


def _find(peer: Association, address: DicomAddress, before_send: Callable[[], None], query: Dataset) -> list[Dataset]:
    """Every identifier that a Study Root C-FIND answers (PS3.4 C.4.1)."""
    found = []
    before_send()
    reach("query.before_send")
    with _leaving(address):
        answers = peer.send_c_find(query, StudyRootQueryRetrieveInformationModelFind)
    for status, identifier in answers:
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
