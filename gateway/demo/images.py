"""The demo's study: a contrast CT of the neck, a phantom in its pixels, with the header of a real one (PS3.3 A.3)."""

from copy import deepcopy
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from gateway.demo.resources import CaseData

SLICES = 24
EDGE_PIXELS = 256
PIXEL_MM = 0.9
SLICE_MM = 3.0
_AIR_HU, _FAT_HU, _MUSCLE_HU, _VESSEL_HU, _LESION_HU, _BONE_HU = -1000, -90, 60, 220, 110, 800
_NOISE_HU = 8.0
_SEXES = {"female": "F", "male": "M", "other": "O"}  # PS3.3 C.7.1.1

Pixels = NDArray[np.int16]
_Plane = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def ct_series(case: CaseData, acquired_at: datetime, slices: int = SLICES) -> list[FileDataset]:
    """One axial image a slice in one series, ready to be stored in explicit VR little endian."""
    series = _series(case, acquired_at)
    noise = np.random.default_rng(1)
    return [_image(series, number, slices, noise) for number in range(1, slices + 1)]


def phantom(height: float, noise: np.random.Generator) -> Pixels:
    """One slice in Hounsfield units: neck, airway, vertebra, two vessels and, in the middle third, a lesion.

    `height` runs from 0 (the lowest slice) to 1.
    """
    axis = np.linspace(-1.0, 1.0, EDGE_PIXELS)
    across, down = np.meshgrid(axis, axis)
    plane = np.full(across.shape, float(_AIR_HU))
    width = 0.62 + 0.12 * height
    plane[_ellipse(across, down, (0.0, 0.0), (width, 0.70))] = _FAT_HU
    plane[_ellipse(across, down, (0.0, 0.0), (width - 0.05, 0.65))] = _MUSCLE_HU
    plane[_ellipse(across, down, (0.0, 0.33), (0.20, 0.16))] = _BONE_HU
    plane[_ellipse(across, down, (0.0, 0.33), (0.07, 0.06))] = _MUSCLE_HU
    plane[_ellipse(across, down, (0.0, -0.18), (0.11, 0.09 + 0.04 * height))] = _AIR_HU
    for side in (-1.0, 1.0):
        plane[_ellipse(across, down, (side * 0.36, 0.02), (0.06, 0.06))] = _VESSEL_HU
    reach = 0.16 * max(0.0, 1.0 - abs(height - 0.5) * 6.0)
    if reach > 0:
        plane[_ellipse(across, down, (0.22, -0.32), (reach, reach))] = _LESION_HU
    plane += noise.normal(0.0, _NOISE_HU, plane.shape)
    pixels: Pixels = np.clip(plane, -1024, 3071).astype(np.int16)
    return pixels


def _ellipse(across: _Plane, down: _Plane, centre: tuple[float, float], radii: tuple[float, float]) -> _Mask:
    inside: _Mask = ((across - centre[0]) / radii[0]) ** 2 + ((down - centre[1]) / radii[1]) ** 2 < 1.0
    return inside


def _series(case: CaseData, acquired_at: datetime) -> Dataset:
    """What all images share: patient, study, series, frame of reference, equipment."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = f"{case.family}^{case.given}"
    ds.PatientID = case.record_number
    ds.PatientBirthDate = f"{case.birth_date:%Y%m%d}"
    ds.PatientSex = _SEXES[case.gender]
    ds.StudyInstanceUID = case.study_instance_uid
    ds.StudyID = "1"
    ds.AccessionNumber = case.accession_number
    ds.ReferringPhysicianName = "Yıldız^Gökçe"
    ds.StudyDescription = "BT Boyun, kontrastlı"
    ds.Modality = "CT"
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[case.study_instance_uid, "series"])
    ds.SeriesNumber = 2
    ds.SeriesDescription = "Neck 3.0 contrast"
    ds.BodyPartExamined = "NECK"
    ds.PatientPosition = "HFS"
    ds.ContrastBolusAgent = "Iohexol"
    for kind in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{kind}Date", f"{acquired_at:%Y%m%d}")
        setattr(ds, f"{kind}Time", f"{acquired_at:%H%M%S}")
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[case.study_instance_uid, "frame of reference"])
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "Phantom Works"
    ds.InstitutionName = "Ankara Demo Hospital"
    ds.StationName = "CT-1"
    return ds


def _image(series: Dataset, number: int, slices: int, noise: np.random.Generator) -> FileDataset:
    """Image Plane, Image Pixel and CT Image (PS3.3 C.7.6.2, C.7.6.3, C.8.2.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series.SeriesInstanceUID, str(number)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", deepcopy(series), file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = number
    edge_mm = -EDGE_PIXELS * PIXEL_MM / 2
    ds.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    ds.SliceThickness = SLICE_MM
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [edge_mm, edge_mm, (number - 1) * SLICE_MM]
    ds.KVP = 120
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = EDGE_PIXELS
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.BurnedInAnnotation = "NO"
    pixels = phantom((number - 1) / max(slices - 1, 1), noise)
    ds.set_pixel_data(pixels, "MONOCHROME2", 16, generate_instance_uid=False)
    return ds
