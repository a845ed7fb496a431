"""Whose case is a study? By the keys that the order names, or by a person's link."""

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.domain.record import Case, Study
from gateway.store import cases


@dataclass(frozen=True)
class Match:
    """The case, and by which key; or none, and why."""

    case: Case | None
    because: str


def why_unmatched(connection: Connection, study: Study) -> str:
    """Why no case is the study's, as things stand now; empty when one is, and the workers have not got to it yet."""
    found = find_case(connection, study)
    return "" if found.case else found.because


def find_case(connection: Connection, study: Study) -> Match:
    """StudyInstanceUID, else accession number and clinic, else patient identifier when exactly one case is open."""
    uid, accession, clinic_id = study.study_instance_uid, study.accession_number, study.clinic_id
    linked = cases.open_by_key(connection, clinic_id, cases.LINKED_STUDY, uid)
    if linked:
        return _only(linked, "a person's link")
    by_uid = cases.open_by_key(connection, clinic_id, cases.STUDY_INSTANCE_UID, uid)
    if by_uid:
        return _only(by_uid, "StudyInstanceUID")
    if accession:
        by_accession = cases.open_by_key(connection, clinic_id, cases.ACCESSION_NUMBER, accession)
        if by_accession:
            return _only(by_accession, "accession number")
    by_patient = cases.open_by_patient_identifier(connection, clinic_id, study.patient_id) if study.patient_id else []
    if by_patient:
        return _only(by_patient, "patient identifier")
    return Match(None, "no open order names the study, its accession number or its patient")


def _only(found: list[Case], key: str) -> Match:
    if len(found) == 1:
        return Match(found[0], key)
    return Match(None, f"{len(found)} open orders have this {key}; exactly one would match")
