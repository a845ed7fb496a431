"""A study as an archive's database knows it, and what an object must repeat to be let into it."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.tag import BaseTag, Tag

# Patient (PS3.3 C.7.1.1) and General Study (PS3.3 C.7.2.1) attributes, by field of RegisteredStudy.
KEYWORDS = {
    "study_instance_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_id": "StudyID",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
}
PATIENT_FIELDS = ("patient_id", "issuer_of_patient_id", "patient_name", "birth_date", "sex")
STUDY_FIELDS = ("accession_number", "study_id", "study_date", "study_time")


@dataclass(frozen=True)
class RegisteredStudy:
    """Every value as text in its DICOM form (DA `19670421`, PN `Öztürk^Ayşe`); empty means empty in the database."""

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

    @classmethod
    def of(cls, ds: Dataset) -> Self:
        """The registration that an object of the study carries in its header."""
        return cls(**{each.name: text_of(ds, KEYWORDS[each.name]) for each in fields(cls)})

    def differing(self, ds: Dataset, names: Iterable[str]) -> list[BaseTag]:
        """Tags of the named fields in which the object says something else, an absent attribute included."""
        return [
            Tag(tag_for_keyword(KEYWORDS[name]) or 0)
            for name in names
            if _bare(getattr(self, name)) != _bare(text_of(ds, KEYWORDS[name]))
        ]

    def values(self) -> dict[str, str]:
        """DICOM keyword -> value."""
        return {keyword: getattr(self, name) for name, keyword in KEYWORDS.items()}


def text_of(ds: Dataset, keyword: str) -> str:
    """A single-valued attribute as text; absent and empty are both ''."""
    value = ds.get(keyword)
    return "" if value is None else str(value)


def _bare(value: str) -> str:
    return value.rstrip(" ^=")  # trailing padding and empty components carry nothing (PS3.5 6.2)
