"""What identifies a received object, read from its header and trusted no further than that."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class StudyState(StrEnum):
    """`receiving` until it goes quiet; `unmatched` and `quarantined` wait for an order or a person."""

    RECEIVING = "receiving"
    UNMATCHED = "unmatched"
    QUARANTINED = "quarantined"
    MATCHED = "matched"
    REJECTED = "rejected"


class InstanceState(StrEnum):
    """`encoding` is the same object in another transfer syntax or character set; `quarantined` waits for a person."""

    STORED = "stored"
    ENCODING = "encoding"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


@dataclass(frozen=True)
class InstanceHeader:
    """The few attributes that identify an instance, its study and its patient. Text is decoded; '' means absent.

    `sex` is mapped to FHIR administrative-gender (M male, F female, O other, anything else '').
    `patient_names` holds the representations of the PN, alphabetic first, at most three.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    patient_id: str
    issuer_of_patient_id: str
    patient_names: tuple[str, ...]
    birth_date: date | None
    sex: str
    accession_number: str
    study_date: date | None
    study_description: str
    series_number: int | None
    instance_number: int | None
