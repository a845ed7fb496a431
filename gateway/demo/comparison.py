"""What arrived beside what was sent: one slice before and after, and the PDF inside an object."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread

from gateway.demo.waiting import StepFailed

SHOWN = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID", "InstitutionName")


@dataclass(frozen=True)
class Comparison:
    """The two files of the same slice and, for each attribute of SHOWN, both values."""

    before_file: Path
    after_file: Path
    rows: tuple[tuple[str, str, str], ...]
    pseudonym: str


def compare(before_files: list[Path], after_files: list[Path]) -> Comparison:
    """Compare the middle slice. Raises StepFailed unless its pixels came through as they were and its name did not."""
    before_file = before_files[len(before_files) // 2]
    before = dcmread(before_file)
    pairs = [(file, dcmread(file)) for file in after_files]
    after_file, after = next(pair for pair in pairs if pair[1].InstanceNumber == before.InstanceNumber)
    if after.PixelData != before.PixelData:
        raise StepFailed("the pixels of the slice are not those that the hospital sent")
    pseudonyms = {str(ds.PatientID) for _, ds in pairs}
    if len(pseudonyms) != 1 or str(before.PatientID) in pseudonyms or str(before.PatientName) == str(after.PatientName):
        raise StepFailed("the reviewer's node holds objects that do not carry one pseudonym")
    rows = tuple((keyword, _value(before, keyword), _value(after, keyword)) for keyword in SHOWN)
    return Comparison(before_file, after_file, rows, pseudonyms.pop())


def pdf_inside(file: Path) -> bytes:
    """The PDF of an Encapsulated PDF object, without the padding (PS3.3 C.24.2)."""
    ds = dcmread(file)
    content: bytes = ds.EncapsulatedDocument
    length: int = ds.EncapsulatedDocumentLength
    return content[:length]


def _value(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword, "")) or "(none)"
