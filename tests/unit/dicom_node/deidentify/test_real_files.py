"""Every DICOM file that pydicom and pydicom-data install: a clean object that survives a round trip, or findings."""

import io
import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError

from dicom_node.deidentify import deidentify
from tests.unit.dicom_node.deidentify import objects

_PYDICOM = Path(pydicom.data.__file__).parent
_FOLDERS = (_PYDICOM / "test_files", _PYDICOM / "charset_files", Path(str(files("data_store"))) / "data")
_KINDS = {"burned-in-text", "character-set", "incomplete", "unknown-attribute", "unreadable", "undecodable"}
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def _paths() -> list[Path]:
    found = (path for folder in _FOLDERS for path in sorted(folder.rglob("*")))
    return [path for path in found if path.is_file() and path.suffix not in (".py", ".pyc")]


def _read(path: Path) -> FileDataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # several of these files are broken on purpose
        try:
            return dcmread(path)
        except (InvalidDicomError, OSError, EOFError):
            return None


def _identifying(ds: Dataset) -> Iterator[bytes]:
    """Raw bytes of names, numbers and instance UIDs, taken without the engine."""
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "ReferringPhysicianName", "OperatorsName"):
        element = ds.get_item(keyword) if keyword in ds else None
        if element is not None and isinstance(element.value, bytes):
            yield element.value.strip(b" \0^")
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        element = ds.get_item(keyword) if keyword in ds else None
        if element is not None and isinstance(element.value, bytes):
            yield element.value.strip(b" \0")


@pytest.mark.parametrize("path", _paths(), ids=lambda path: path.name)
def test_real_file(path: Path) -> None:
    original = _read(path)
    if original is None:
        assert path.suffix in (".txt", ".json", ".dump", ".icc", ".gz", ".zip", ".dcm", ".tar", "")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = deidentify(original, objects.pseudonyms())
    if outcome.dataset is None:
        kinds = {finding.kind for finding in outcome.findings}
        assert kinds
        assert all(kind in _KINDS or kind.startswith("residual-") for kind in kinds)
        return
    data = objects.written(outcome.dataset)
    again = dcmread(io.BytesIO(data))
    for tag in _PIXEL_TAGS:
        if tag in original:
            assert again.get_item(tag).value == original.get_item(tag).value
            del again[tag]
    assert again.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    without_pixels = objects.written(again)
    left = [value for value in _identifying(original) if len(value) > 5 and value in without_pixels]
    assert not left


def test_most_real_cross_sections_pass() -> None:
    """Not by holding everything: of the installed CT, MR and PET images nearly all go through."""
    images = [ds for ds in map(_read, _paths()) if ds is not None and ds.get("Modality") in ("CT", "MR", "PT")]
    complete = [ds for ds in images if "SOPClassUID" in ds and "StudyInstanceUID" in ds and "SOPInstanceUID" in ds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held = [ds for ds in complete if deidentify(ds, objects.pseudonyms()).dataset is None]
    assert len(complete) > 90
    assert len(held) <= 3  # a broken sequence, a digitised image, a patient named like an image type
