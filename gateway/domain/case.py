"""A case as the clinic's EHR states it: who the patient is, what was ordered, and the documents for it.

Each class is what a FHIR resource said, read once and checked. References are as the sender wrote them: whether they
lead to stored resources, and to those of the sender, is for a service to find out.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.domain.identity import PersonIdentity
from gateway.domain.party import Identifier


class CaseState(StrEnum):
    """A closed case takes nothing new and discloses nothing more."""

    OPEN = "open"
    CLOSED = "closed"


class DocumentState(StrEnum):
    """A document waits until a person has said that it may leave, as it is or redacted, or that it may not."""

    WAITING = "waiting"
    CLEARED = "cleared"
    REJECTED = "rejected"


CLOSING_STATUS = ("revoked", "completed", "entered-in-error")
"""Of an order: from then on nothing more is disclosed for it."""


@dataclass(frozen=True)
class PatientRecord:
    """A clinic's patient. `display_name` is the name to print; `identifiers` has at least one."""

    identity: PersonIdentity
    display_name: str
    identifiers: tuple[Identifier, ...]
    is_active: bool


@dataclass(frozen=True)
class Order:
    """A clinic's order of a second opinion.

    `status` is active, on-hold, revoked, completed or entered-in-error; `priority` routine, urgent or asap. `placer`
    is the clinic's own number of the order, under which it expects the report. `patient_reference` is `Patient/id`.
    Requester (exactly one) and performers are each named by a reference, an identifier or both; '' and None where
    not said. `study_instance_uids` and `accession_numbers` name the imaging to come. `reason` is what a person
    reads, or empty.
    """

    status: str
    priority: str
    placer: Identifier
    patient_reference: str
    requester_reference: str
    requester_identifier: Identifier | None
    performer_references: tuple[str, ...]
    performer_identifiers: tuple[Identifier, ...]
    study_instance_uids: tuple[str, ...]
    accession_numbers: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class IncomingDocument:
    """A PDF that belongs to an order. `data` holds its bytes, or is None and `binary_url` says where they are.

    `patient_reference` is `Patient/id`, `order_reference` is `ServiceRequest/id`. `loinc` is the LOINC code of its
    kind, `clinical_date` the day it speaks of as its author wrote it, never the day of the upload.
    """

    patient_reference: str
    order_reference: str
    loinc: str
    title: str
    clinical_date: date
    data: bytes | None
    binary_url: str
