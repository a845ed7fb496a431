"""Generated input: a multi-slice CT and a pathology report of a patient whose name has Turkish letters.

The CT has every type 1 and 2 attribute of the CT Image IOD (PS3.3 A.3.3); its pixels are a phantom, not a person.
"""

import functools
import html
from dataclasses import dataclass
from datetime import date
from io import BytesIO

import numpy as np
import pydicom
import weasyprint
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

UTF_8 = "ISO_IR 192"
LATIN_5 = "ISO_IR 148"
"""Specific Character Sets (PS3.3 C.12.1.1.2) that hold the Turkish letters: Unicode and Turkish Latin."""

_EDGE_PIXELS = 64
_SLICE_DISTANCE_MM = 3.0
_AIR_HU, _TISSUE_HU, _BONE_HU = -1000, 40, 700
_JPEG_EDGE_PIXELS = 32


@dataclass(frozen=True)
class Person:
    """A made-up patient. `sex` is the DICOM code (M, F, O); `issuer` is who gave out `patient_id`."""

    family: str
    given: str
    birth_date: date
    sex: str
    patient_id: str
    issuer: str

    @property
    def dicom_name(self) -> str:
        """PN with family and given name complex (PS3.5 6.2.1)."""
        return f"{self.family}^{self.given}"


AYSE = Person("Öztürk", "Ayşe Işıl", date(1967, 4, 21), "F", "MRN-0048151", "ANKARA-GH")
CAGRI = Person("Güneş", "Çağrı", date(1958, 11, 2), "M", "MRN-0048152", "ANKARA-GH")


def ct_series(
    *,
    slices: int = 8,
    patient: Person = AYSE,
    study_instance_uid: str | None = None,
    accession: str = "ACC-2025-0117",
    study_date: date = date(2025, 11, 3),
    character_set: str = UTF_8,
    edge_pixels: int = _EDGE_PIXELS,
    study_description: str = "BT Boyun, kontrastlı",
) -> list[FileDataset]:
    """A contrast CT of the neck, one axial image a slice, in one series.

    Args:
        study_instance_uid: a new one when not given; series, frame of reference and instances are derived from it,
            so that the same study UID gives the same objects.
        edge_pixels: rows and columns; 512 makes an image of 0.5 MB.
    """
    study_uid = study_instance_uid or generate_uid()
    series = [
        _ct_image(number, study_uid, patient, accession, study_date, edge_pixels) for number in range(1, slices + 1)
    ]
    for ds in series:
        ds.SpecificCharacterSet = character_set
        ds.StudyDescription = study_description
    return series


def part10(ds: FileDataset) -> bytes:
    """The data set as the bytes of a DICOM file (PS3.10)."""
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@functools.cache
def pathology_pdf(patient: Person = AYSE) -> bytes:
    """A one-page pathology report as PDF, with the patient's name and number in its text."""
    text = html.escape(f"{patient.given} {patient.family}")
    document = f"""<html lang="tr"><head><title>Patoloji raporu</title></head><body>
        <h1>Patoloji raporu</h1>
        <p>Hasta: {text}, {patient.birth_date:%d.%m.%Y}, no. {html.escape(patient.patient_id)}</p>
        <p>Materyal: dil sol kenar, insizyonel biyopsi.</p>
        <p>Tanı: İyi diferansiye skuamöz hücreli karsinom; p16 negatif.</p></body></html>"""
    return bytes(weasyprint.HTML(string=document).write_pdf())


def jpeg_pretending_to_be_dicom() -> bytes:
    """A JPEG picture, as somebody renames one to `.dcm`."""
    file = BytesIO()
    Image.new("RGB", (_JPEG_EDGE_PIXELS, _JPEG_EDGE_PIXELS), (120, 60, 30)).save(file, "JPEG")
    return file.getvalue()


def truncated(part10_bytes: bytes) -> bytes:
    """The file as an interrupted copy leaves it: readable in front, cut inside the pixel data."""
    return part10_bytes[: len(part10_bytes) - len(part10_bytes) // 3]


def _ct_image(
    number: int, study_uid: str, patient: Person, accession: str, study_date: date, edge_pixels: int
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[study_uid, f"image {number}"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", pydicom.Dataset(), file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _describe_patient_and_study(ds, patient, study_uid, accession, study_date)
    _describe_series(ds, study_uid, study_date)
    _describe_image(ds, number, edge_pixels)
    return ds


def _describe_patient_and_study(
    ds: FileDataset, patient: Person, study_uid: str, accession: str, study_date: date
) -> None:
    ds.PatientName = patient.dicom_name
    ds.PatientID = patient.patient_id
    ds.IssuerOfPatientID = patient.issuer
    ds.PatientBirthDate = f"{patient.birth_date:%Y%m%d}"
    ds.PatientSex = patient.sex
    ds.StudyInstanceUID = study_uid
    ds.StudyDate = f"{study_date:%Y%m%d}"
    ds.StudyTime = "101500"
    ds.StudyID = "S117"
    ds.AccessionNumber = accession
    ds.ReferringPhysicianName = "Yıldız^Gökçe"


def _describe_series(ds: FileDataset, study_uid: str, study_date: date) -> None:
    ds.Modality = "CT"
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[study_uid, "series"])
    ds.SeriesNumber = 2
    ds.SeriesDescription = "Neck 3.0 contrast"
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{study_date:%Y%m%d}"
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101730"
    ds.BodyPartExamined = "NECK"
    ds.PatientPosition = "HFS"
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[study_uid, "frame of reference"])
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "Phantom Works"
    ds.InstitutionName = "Ankara Genel Hastanesi"
    ds.ContrastBolusAgent = "Iohexol"
    ds.KVP = "120"


def _describe_image(ds: FileDataset, number: int, edge_pixels: int) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = number
    ds.PixelSpacing = ["0.5", "0.5"]
    ds.SliceThickness = str(_SLICE_DISTANCE_MM)
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = ["-16", "-16", str(number * _SLICE_DISTANCE_MM)]
    ds.RescaleIntercept = "-1024"
    ds.RescaleSlope = "1"
    ds.RescaleType = "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = edge_pixels
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.BurnedInAnnotation = "NO"
    ds.PixelData = _phantom(number, edge_pixels)


def _phantom(number: int, edge_pixels: int) -> bytes:
    """A neck: a disc of tissue with a vertebra that wanders from slice to slice, in 12-bit stored values."""
    axis = np.linspace(-1, 1, edge_pixels)
    across, down = np.meshgrid(axis, axis)
    hounsfield = np.full((edge_pixels, edge_pixels), _AIR_HU, dtype=np.int32)
    hounsfield[across**2 + down**2 < 0.8] = _TISSUE_HU
    hounsfield[(across - 0.02 * number) ** 2 + (down - 0.4) ** 2 < 0.05] = _BONE_HU
    return (hounsfield + 1024).astype("<u2").tobytes()
