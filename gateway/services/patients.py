"""The patient of a case, as the clinic describes them now, and why a record may be none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.patient import patient_from_fhir
from gateway.domain.case import PatientRecord
from gateway.domain.record import Case
from gateway.services.merges import Person, merged_away_at, person_of, said_since
from gateway.store import resources


@dataclass(frozen=True)
class NoPatient:
    """Why nothing leaves for the record that a case was ordered under, since when, and what the clinic does then."""

    why: str
    since: datetime
    remedy: str

    def __str__(self) -> str:
        return f"{self.why}: the clinic {self.remedy}"


def why_no_patient(connection: Connection, case: Case, person: Person) -> NoPatient | None:
    """None for the record of a patient, who is this person. Raises Unprocessable as `patient_from_fhir` does."""
    if case.patient_id in person.merged_away:
        into = " or ".join(f"Patient/{one}" for one in person.surviving)
        remedy = f"names {into} as the subject of the order" if into else "parts the merges, which run in a circle"
        since = merged_away_at(connection, case.clinic_id, case.patient_id)
        return NoPatient("the patient's record was merged into another one", since, remedy)
    stored = resources.current(connection, case.clinic_id, "Patient", case.patient_id)
    if _is_inactive(stored.content):
        remedy = "makes it active, or orders under another one"
        inactive_since = said_since(connection, stored, _is_inactive)
        return NoPatient("the patient's record is not active", inactive_since or stored.stored_at, remedy)
    return None


def _is_inactive(content: dict[str, Any]) -> bool:
    return not patient_from_fhir(content, is_valid=True).is_active


def patient_of_case(connection: Connection, case: Case) -> PatientRecord:
    """By the current version of the clinic's Patient. Raises Unprocessable as `patient_from_fhir` does."""
    return _record(connection, case.clinic_id, case.patient_id)


def records_of(connection: Connection, case: Case) -> tuple[PatientRecord, ...]:
    """The same of every record that is the case's patient by merges and is kept. Raises Unprocessable."""
    person = person_of(connection, case.clinic_id, case.patient_id)
    kept = [one for one in sorted(person.records) if resources.type_of(connection, case.clinic_id, one) == "Patient"]
    return tuple(_record(connection, case.clinic_id, one) for one in kept)


def _record(connection: Connection, clinic_id: str, patient_id: str) -> PatientRecord:
    stored = resources.current(connection, clinic_id, "Patient", patient_id)
    return patient_from_fhir(stored.content, is_valid=True)  # it was not stored otherwise
