"""What the gateway remembers of a case, a study, a delivery: one row each, as the services handle it."""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.case import CaseState, DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState, ReadGrant
from gateway.domain.study import InstanceState, StudyState


@dataclass(frozen=True)
class Case:
    """One order for a second opinion; `id` is the logical id of the clinic's ServiceRequest.

    Reviewers know its patient by `pseudonym`, on every object. `legal_hold` says why
    nothing of it may be destroyed. From `destroyed_at` on nothing of its patient is left.
    """

    id: str
    clinic_id: str
    reviewer_id: str | None
    patient_id: str
    pseudonym: str
    state: CaseState
    created_at: datetime
    closed_at: datetime | None = None
    legal_hold: str | None = None
    destroyed_at: datetime | None = None


@dataclass(frozen=True)
class Study:
    """One study of one clinic, with the identity its first object stated."""

    id: str
    clinic_id: str
    endpoint_id: str
    case_id: str | None
    study_instance_uid: str
    state: StudyState
    patient_id: str
    issuer_of_patient_id: str
    patient_names: tuple[str, ...]
    birth_date: date | None
    sex: str
    accession_number: str
    accession_pseudonym: str
    study_date: date | None
    study_description: str
    accepted_case_id: str | None
    first_received_at: datetime
    last_received_at: datetime
    matched_at: datetime | None
    destroyed_at: datetime | None = None


@dataclass(frozen=True)
class Instance:
    """One received object; the bytes are the blob `blob_sha256`, exactly as received."""

    id: int
    study_id: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    series_number: int | None
    instance_number: int | None
    state: InstanceState
    blob_sha256: str
    size_bytes: int


@dataclass(frozen=True)
class CaseDocument:
    """A document of a case: `waiting` until a person has `cleared` (or `rejected`) it.

    `loinc` is its kind, `clinical_date` the day it speaks of.
    """

    id: str
    case_id: str
    state: DocumentState
    title: str
    loinc: str
    clinical_date: date
    original_sha256: str
    cleared_sha256: str | None
    cleared_by: str | None
    created_at: datetime
    cleared_at: datetime | None


@dataclass(frozen=True)
class ReportVersion:
    """One signed version of a report, and where its rendition is once it exists."""

    id: str
    case_id: str
    reviewer_id: str
    report_key: str
    version: int
    status: str
    diagnostic_report_id: str
    composition_id: str
    composition_version: int
    content_sha256: str
    pdf_sha256: str | None
    html_sha256: str | None
    created_at: datetime
    rendered_at: datetime | None


@dataclass(frozen=True)
class Delivery:
    """One payload for one endpoint. `waits_for` says what it waits for and who can move it; '' when it moves.

    `is_ambiguous` once the destination may have it without having said so; `sent_anew_at` is when a person said that
    it has not. `stopped_by` is the person who holds it back, whatever the consents say.
    """

    id: str
    case_id: str
    endpoint_id: str
    kind: DeliveryKind
    subject_id: str
    business_key: str
    state: DeliveryState
    waits_for: str
    payload_sha256: str
    attempts: int
    last_error: str
    is_ambiguous: bool
    sent_anew_at: datetime | None
    created_at: datetime
    changed_at: datetime
    stopped_by: str | None = None


FOUND_THERE = "C-FIND"
"""In the place of a DIMSE status: the answer was lost, and the destination says that it has the object."""


@dataclass(frozen=True)
class DeliveryItem:
    """One object of a delivery, in sending order, with its UIDs as they leave.

    `status` is what the destination answered (`0x0000`), or FOUND_THERE, None before that; `last_error` is how the last
    of its `attempts` failed.
    """

    delivery_id: str
    position: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    blob_sha256: str
    status: str | None
    sent_at: datetime | None
    attempts: int = 0
    last_error: str = ""


@dataclass(frozen=True)
class RecallNotice:
    """Something had been granted when the consent went: a delivery, or what a reviewer read (`read_grant_id`).

    `acknowledged_at` is None while nobody has taken it up.
    """

    id: str
    case_id: str
    delivery_id: str | None
    consent_id: str
    reason: str
    created_at: datetime
    read_grant_id: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str

    @property
    def disclosed_id(self) -> str:
        """The id of what was disclosed."""
        return self.delivery_id or self.read_grant_id or ""


Disclosed = Delivery | ReadGrant
"""What may have left and is asked back: a delivery, or what a reviewer read, by the first grant of it."""
