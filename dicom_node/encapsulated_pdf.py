"""A PDF as an Encapsulated PDF object (PS3.3 A.45.1), ready for an archive.

Module | Attributes set | Source
Patient, General Study | as `StudyIdentity` | what the archive answered to C-FIND, or the pseudonym
Encapsulated Document Series | Modality DOC, SeriesInstanceUID, SeriesNumber | PS3.3 C.24.1
General Equipment, SC Equipment | Manufacturer, ConversionType WSD | PS3.3 C.7.5.1, C.8.6.1
Encapsulated Document | everything else | PS3.3 C.24.2
"""

from dataclasses import dataclass
from datetime import datetime

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from dicom_node.part10 import build_file_header
from gateway.domain.errors import Invalid
from gateway.domain.uids import is_valid_uid

MANUFACTURER = "Consilium Gateway"
CONTEXT = (str(EncapsulatedPDFStorage), str(ExplicitVRLittleEndian))
"""SOP class and transfer syntax of every object built here."""

_CONSULT_NOTE = ("11488-4", "LN", "Consult note")  # LOINC


@dataclass(frozen=True)
class StudyIdentity:
    """Patient and study as an archive states them: text in DICOM form (PN, DA, TM), '' where it says nothing.

    `character_set` is the one that it answered in (0008,0005).
    """

    study_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    referring_physician_name: str = ""
    character_set: str = ""


@dataclass(frozen=True)
class ObjectReference:
    """An object by SOP class and instance, with the series and study it belongs to."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class PdfDocument:
    """What is encapsulated. `made_at` is shown as content date and time in its own zone.

    `sources` are the objects the document was made from, `predecessors` the instances it amends.
    """

    pdf: bytes
    title: str
    made_at: datetime
    series_instance_uid: str
    sop_instance_uid: str
    instance_number: int = 1
    series_number: int = 1
    sources: tuple[ObjectReference, ...] = ()
    predecessors: tuple[ObjectReference, ...] = ()
    has_identity_burned_in: bool = True
    is_pseudonymous: bool = False


def build_encapsulated_pdf(document: PdfDocument, identity: StudyIdentity) -> bytes:
    """The object as a Part 10 file in explicit VR little endian, a function of its arguments alone.

    Raises Invalid for bytes that are no PDF, a malformed UID or a naive `made_at`.
    """
    _check(document, identity)
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    _add_patient_and_study(dataset, identity)
    _add_series_and_equipment(dataset, document)
    _add_document(dataset, document)
    encoded = DicomBytesIO()
    encoded.is_little_endian, encoded.is_implicit_VR = True, False
    write_dataset(encoded, dataset)
    header = build_file_header(EncapsulatedPDFStorage, document.sop_instance_uid, ExplicitVRLittleEndian)
    return header + encoded.getvalue()


def _check(document: PdfDocument, identity: StudyIdentity) -> None:
    if not document.pdf.startswith(b"%PDF-"):
        raise Invalid("the document is no PDF", at="EncapsulatedDocument")
    if document.made_at.tzinfo is None:
        raise Invalid("the time of the document has no zone", at="ContentTime")
    for uid in (document.sop_instance_uid, document.series_instance_uid, identity.study_instance_uid):
        if not is_valid_uid(uid):
            raise Invalid("a UID of the document is malformed")


def _add_patient_and_study(dataset: Dataset, identity: StudyIdentity) -> None:
    values = {
        "PatientName": identity.patient_name,
        "PatientID": identity.patient_id,
        "PatientBirthDate": identity.birth_date,
        "PatientSex": identity.sex,
        "StudyInstanceUID": identity.study_instance_uid,
        "StudyDate": identity.study_date,
        "StudyTime": identity.study_time,
        "StudyID": identity.study_id,
        "AccessionNumber": identity.accession_number,
        "ReferringPhysicianName": identity.referring_physician_name,
    }
    if identity.issuer_of_patient_id:
        values["IssuerOfPatientID"] = identity.issuer_of_patient_id
    for keyword, value in values.items():  # as the archive states them, valid or not: it has to recognise its own
        dataset.add(DataElement(Tag(keyword), dictionary_VR(keyword), value, validation_mode=IGNORE))


def _add_series_and_equipment(dataset: Dataset, document: PdfDocument) -> None:
    dataset.Modality = "DOC"
    dataset.SeriesInstanceUID = document.series_instance_uid
    dataset.SeriesNumber = document.series_number
    dataset.Manufacturer = MANUFACTURER
    dataset.ConversionType = "WSD"


def _add_document(dataset: Dataset, document: PdfDocument) -> None:
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = document.sop_instance_uid
    dataset.InstanceNumber = document.instance_number
    dataset.ContentDate = document.made_at.strftime("%Y%m%d")
    dataset.ContentTime = document.made_at.strftime("%H%M%S")
    dataset.AcquisitionDateTime = ""
    dataset.TimezoneOffsetFromUTC = document.made_at.strftime("%z")[:5]
    dataset.BurnedInAnnotation = "YES" if document.has_identity_burned_in else "NO"
    if document.is_pseudonymous:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "Document cleared by a person"
    dataset.DocumentTitle = document.title
    dataset.ConceptNameCodeSequence = Sequence([_code(*_CONSULT_NOTE)])
    if document.sources:
        dataset.SourceInstanceSequence = Sequence([_reference(source) for source in document.sources])
    if document.predecessors:
        dataset.PredecessorDocumentsSequence = Sequence(_hierarchy(document.predecessors))
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(document.pdf)  # PS3.3 C.24.2: without the padding
    dataset.EncapsulatedDocument = document.pdf + b"\0" * (len(document.pdf) % 2)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _reference(reference: ObjectReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _hierarchy(references: tuple[ObjectReference, ...]) -> list[Dataset]:
    """Study > series > instance (PS3.3 Table C.17-3)."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for reference in references:
        series = studies.setdefault(reference.study_instance_uid, {})
        series.setdefault(reference.series_instance_uid, []).append(_reference(reference))
    return [_study_item(uid, series) for uid, series in studies.items()]


def _study_item(study_instance_uid: str, series: dict[str, list[Dataset]]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    items = []
    for series_instance_uid, instances in series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_instance_uid
        item.ReferencedSOPSequence = Sequence(instances)
        items.append(item)
    study.ReferencedSeriesSequence = Sequence(items)
    return study
