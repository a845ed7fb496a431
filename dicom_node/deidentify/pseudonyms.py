"""The names an object leaves with."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pseudonyms:
    """Everything that stands in for the originals; one per patient and destination.

    `patient` is set as PatientID and PatientName on every object, `issuer` as IssuerOfPatientID. `accession_number` and
    `study_id` (at most 16 characters each, one per study) are ours. `uid` maps an original UID to a `2.25.` one; it is
    never asked for UIDs registered by DICOM or naming a class. `known_identifiers` must not survive anywhere; a name
    is given as PN (`ÖZTÜRK^AYŞE`) so that each of its parts counts, anything else counts as a whole.
    """

    patient: str
    issuer: str
    accession_number: str
    study_id: str
    uid: Callable[[str], str]
    known_identifiers: tuple[str, ...]
