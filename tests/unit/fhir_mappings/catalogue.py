"""A catalogued study of a case."""

from datetime import UTC, date, datetime

from gateway.domain.case import CaseState
from gateway.domain.record import Case, Instance, Study
from gateway.domain.study import InstanceState, StudyState

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ROOT = "1.2.826.0.1.3680043.8.498"

CASE = Case(
    id="o1",
    clinic_id="clinic",
    reviewer_id="reviewer",
    patient_id="p1",
    pseudonym="CS-7F3K",
    state=CaseState.OPEN,
    created_at=NOW,
)

STUDY = Study(
    id="s1",
    clinic_id="clinic",
    endpoint_id="pacs",
    case_id="o1",
    study_instance_uid=f"{ROOT}.1",
    state=StudyState.MATCHED,
    patient_id="4711",
    issuer_of_patient_id="",
    patient_names=("OZTURK^AYSE",),
    birth_date=date(1961, 4, 23),
    sex="female",
    accession_number="A-77",
    accession_pseudonym="",
    study_date=date(2026, 2, 20),
    study_description="CT neck",
    accepted_case_id=None,
    first_received_at=NOW,
    last_received_at=NOW,
    matched_at=NOW,
)


def _instance(number: int, series: int, modality: str) -> Instance:
    return Instance(
        id=series * 10 + number,
        study_id="s1",
        series_instance_uid=f"{ROOT}.1.{series}",
        sop_instance_uid=f"{ROOT}.1.{series}.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        modality=modality,
        series_number=series,
        instance_number=number,
        state=InstanceState.STORED,
        blob_sha256="00",
        size_bytes=1,
    )


INSTANCES = [_instance(1, 2, "CT"), _instance(2, 2, "CT"), _instance(1, 3, "PT")]
