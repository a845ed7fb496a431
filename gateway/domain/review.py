"""A case as its reviewer may see it: pseudonyms, codes and counts, and nothing that tells who it is or where.

Ids are the reviewer's own: none of them is one by which the clinic knows the same thing.
"""

from dataclasses import dataclass

TITLE_OF_DOCUMENT = "Clinical document"
"""What a reviewer reads; the clinic's own title may name the patient."""


@dataclass(frozen=True)
class ReviewedOrder:
    """What is asked for the case of this pseudonym; `codes` and `reasons` are (system, code) of public systems."""

    pseudonym: str
    status: str
    priority: str
    codes: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReviewedObject:
    """One object at the reviewer's node, with the UIDs that it has there."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str


@dataclass(frozen=True)
class ReviewedStudy:
    """The images of a case that are at the reviewer's node, in the order in which they were sent; at least one.

    `accession_number` is the pseudonymous one that its objects carry.
    """

    pseudonym: str
    accession_number: str
    study_instance_uid: str
    objects: tuple[ReviewedObject, ...]


@dataclass(frozen=True)
class ReviewedDocument:
    """A cleared document at the reviewer's node; `loinc` is its kind, `accession_number` its study's."""

    pseudonym: str
    accession_number: str
    sop_instance_uid: str
    loinc: str
    title: str
