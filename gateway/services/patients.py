"""The patient of a case, as the clinic describes them now."""

from sqlalchemy import Connection

from fhir_mappings.patient import patient_from_fhir
from gateway.domain.case import PatientRecord
from gateway.domain.record import Case
from gateway.store import resources


def patient_of(connection: Connection, case: Case) -> PatientRecord:
    """By the current version of the clinic's Patient. Raises Unprocessable as `patient_from_fhir` does."""
    stored = resources.current(connection, case.clinic_id, "Patient", case.patient_id)
    return patient_from_fhir(stored.content, is_valid=True)  # it was not stored otherwise
