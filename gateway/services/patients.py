"""The patient of a case, as the clinic describes them now."""

from sqlalchemy import Connection

from fhir_mappings.patient import patient_from_fhir
from gateway.domain.case import PatientRecord
from gateway.domain.record import Case
from gateway.services.merges import person_of
from gateway.store import resources


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
