"""Objects of one Turkish patient with identifiers planted wherever a data set can hold them."""

import io
from collections.abc import Iterable

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_node.deidentify import Pseudonyms
from gateway.domain.pseudonym import pseudonym_token, pseudonymous_uid

NAME = "ÖZTÜRK^AYŞE GÜL"
PATIENT_ID = "10000000146"
OTHER_ID = "MRN-4471902"
BIRTH_DATE = "19770523"
ACCESSION = "ACC998877"
INSTITUTION = "Çamlıca Şifa Hastanesi"
PHYSICIAN = "KARABULUT^HAKAN"
ROOT = "1.3.6.1.4.1.99999."
STUDY = ROOT + "1.1"
SERIES = ROOT + "1.2"
FRAME_OF_REFERENCE = ROOT + "1.3"
TEXT = f"{NAME.replace('^', ' ')} {PATIENT_ID} {INSTITUTION} {PHYSICIAN.replace('^', ' ')}"
SHORT_TEXT = "AYŞE ÖZTÜRK"

CT = "1.2.840.10008.5.1.4.1.1.2"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"

_PLANTED = (
    *("ÖZTÜRK", "AYŞE", "OZTURK", PATIENT_ID, OTHER_ID, BIRTH_DATE, ACCESSION, "Çamlıca", "Hastanesi", "KARABULUT"),
    *("HAKAN", ROOT, "4471902", "SENDER_AE", "STATION77"),
)
_CODECS = ("utf-8", "iso8859-9", "utf-16-le")


KNOWN = (NAME, PATIENT_ID, OTHER_ID, ACCESSION, INSTITUTION, PHYSICIAN, BIRTH_DATE)


def pseudonyms(scope: str = "reviewer", known: Iterable[str] = KNOWN) -> Pseudonyms:
    key = b"a key for tests"
    return Pseudonyms(
        patient=pseudonym_token(key, scope, PATIENT_ID),
        issuer="CONSILIUM",
        accession_number=pseudonym_token(key, scope, ACCESSION, prefix="CA"),
        study_id="CST1",
        uid=lambda original: pseudonymous_uid(key, scope, original),
        known_identifiers=tuple(known),
    )


def survivors(data: bytes) -> set[str]:
    """The planted identifiers still spelt in bytes, in any of three encodings and either case."""
    folded = data.lower()
    spellings = {text: {form.encode(codec) for form in _forms(text) for codec in _codecs(text)} for text in _PLANTED}
    return {text for text, needles in spellings.items() if any(n in data or n in folded for n in needles)}


def _forms(text: str) -> set[str]:
    return {text, text.lower(), text.upper()}


def _codecs(text: str) -> tuple[str, ...]:
    return _CODECS if text.isascii() else _CODECS[:2]


def written(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def received(dataset: Dataset) -> FileDataset:
    """The object as it arrives: written to a file and read back, preamble and file meta full of identifiers."""
    data = bytearray(written(dataset))
    data[: len(PATIENT_ID)] = PATIENT_ID.encode()
    return dcmread(io.BytesIO(bytes(data)))


def instance(sop_class: str, number: int, modality: str, character_set: str = "ISO_IR 192") -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = character_set
    ds.SOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = UID(f"{ROOT}2.{number}")
    ds.StudyInstanceUID = UID(STUDY)
    ds.SeriesInstanceUID = UID(f"{SERIES}.{number}")
    ds.Modality = modality
    ds.Manufacturer = "Acme"
    ds.PatientName = NAME
    ds.PatientID = PATIENT_ID
    ds.OtherPatientIDs = [OTHER_ID]
    ds.PatientBirthDate = BIRTH_DATE
    ds.PatientSex = "F"
    ds.AccessionNumber = ACCESSION
    ds.StudyID = "77"
    ds.StudyDate = "20240102"
    ds.StudyTime = "101112"
    ds.InstitutionName = INSTITUTION
    ds.ReferringPhysicianName = PHYSICIAN
    ds.StationName = "STATION77"
    ds.StudyDescription = TEXT[:64]
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].AccessionNumber = ACCESSION
    ds.RequestAttributesSequence[0].RequestedProcedureDescription = TEXT[:64]
    block = ds.private_block(0x0009, "ACME HEADER", create=True)
    block.add_new(0x01, "LO", TEXT[:60])
    nested = Dataset()
    nested.PatientName = NAME
    block.add_new(0x02, "SQ", Sequence([nested]))
    ds.file_meta = _meta(ds)
    return ds


def _meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.ImplementationClassUID = UID(ROOT + "9")
    meta.SourceApplicationEntityTitle = "SENDER_AE"
    meta.PrivateInformationCreatorUID = UID(ROOT + "8")
    meta.PrivateInformation = TEXT.encode()
    return meta


def add_pixels(ds: Dataset, frames: int = 1) -> Dataset:
    ds.Rows, ds.Columns = 4, 6
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = bytes(range(48)) * frames
    return ds


def ct(number: int = 1, character_set: str = "ISO_IR 192") -> Dataset:
    ds = add_pixels(instance(CT, number, "CT", character_set))
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID = UID(FRAME_OF_REFERENCE)
    ds.PixelSpacing = [0.5, 0.5]
    ds.add_new(0x60000010, "US", 4)
    ds.add_new(0x60000011, "US", 6)
    ds.add_new(0x60000022, "LO", SHORT_TEXT)
    ds.add_new(0x60001500, "LO", SHORT_TEXT)
    ds.add_new(0x60003000, "OW", PATIENT_ID.encode() + b" ")
    ds.add_new(0x60004000, "LT", TEXT)
    ds.add_new(0x50003000, "OW", PATIENT_ID.encode() + b" ")
    ds.add_new(0xFFFCFFFC, "OB", TEXT.encode() + b" " * (len(TEXT.encode()) % 2))
    return ds


def ultrasound() -> Dataset:
    ds = add_pixels(instance(ULTRASOUND, 2, "US"), frames=3)
    ds.BurnedInAnnotation = "NO"
    region = Dataset()
    region.PatientComments = TEXT
    region.RegionDataType = 1
    ds.SequenceOfUltrasoundRegions = [region]
    return ds


def reference(number: int, sop_class: str = CT) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = UID(sop_class)
    item.ReferencedSOPInstanceUID = UID(f"{ROOT}2.{number}")
    return item


def evidence(number: int) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = UID(f"{SERIES}.{number}")
    series.ReferencedSOPSequence = [reference(number)]
    study = Dataset()
    study.StudyInstanceUID = UID(STUDY)
    study.ReferencedSeriesSequence = [series]
    return study


def _content(value_type: str, **values: object) -> Dataset:
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = value_type
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def report(sop_class: str = TEXT_SR) -> Dataset:
    ds = instance(sop_class, 3, "SR")
    ds.ValueType = "CONTAINER"
    observer = Dataset()
    observer.VerifyingObserverName = PHYSICIAN
    observer.VerifyingOrganization = INSTITUTION
    observer.VerificationDateTime = "20240102101112"
    ds.VerifyingObserverSequence = [observer]
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence(1)]
    image = _content("IMAGE", ReferencedSOPSequence=[reference(1)])
    inner = _content("CONTAINER", ContentSequence=[_content("TEXT", TextValue=TEXT), image])
    ds.ContentSequence = [_content("PNAME", PersonName=NAME), _content("TEXT", TextValue=TEXT), inner]
    return ds


def presentation_state() -> Dataset:
    ds = instance(PRESENTATION_STATE, 4, "PR")
    ds.ContentLabel = "LABEL"
    ds.ContentDescription = SHORT_TEXT
    ds.ContentCreatorName = PHYSICIAN
    drawn = Dataset()
    drawn.BoundingBoxAnnotationUnits = "PIXEL"
    drawn.UnformattedTextValue = TEXT
    annotation = Dataset()
    annotation.ReferencedImageSequence = [reference(1)]
    annotation.GraphicLayer = "LAYER1"
    annotation.TextObjectSequence = [drawn]
    ds.GraphicAnnotationSequence = [annotation]
    layer = Dataset()
    layer.GraphicLayer = "LAYER1"
    layer.GraphicLayerOrder = 1
    layer.GraphicLayerDescription = SHORT_TEXT
    ds.GraphicLayerSequence = [layer]
    ds.ReferencedSeriesSequence = [evidence(1).ReferencedSeriesSequence[0]]
    return ds


def structure_set() -> Dataset:
    ds = instance(STRUCTURE_SET, 5, "RTSTRUCT")
    ds.StructureSetLabel = SHORT_TEXT
    contour = Dataset()
    contour.ContourImageSequence = [reference(1)]
    roi = Dataset()
    roi.ContourSequence = [contour]
    ds.ROIContourSequence = [roi]
    frame = Dataset()
    frame.FrameOfReferenceUID = UID(FRAME_OF_REFERENCE)
    ds.ReferencedFrameOfReferenceSequence = [frame]
    return ds


def pdf() -> Dataset:
    ds = instance(PDF, 6, "DOC")
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = b"%PDF-1.4"
    return ds
