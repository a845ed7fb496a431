"""The FHIR resources that the demo's clinic and reviewer post, as real systems would."""

import base64
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fhir_mappings.codes import (
    ACCESSION_NUMBER,
    CONSULT_NOTE,
    DICOM_UID_SYSTEM,
    IDENTIFIER_TYPE_SYSTEM,
    LOINC,
    OID_PREFIX,
    PLACER_NUMBER,
    PSEUDONYM_SYSTEM,
    REFERRAL_REASON_SYSTEM,
    SECOND_OPINION,
)
from gateway.domain.delivery import Flow
from gateway.domain.party import Identifier
from gateway.domain.report import SECTION_SYSTEM, SECTION_TITLES

Json = dict[str, Any]

PATHOLOGY_STUDY = "11526-1"  # https://loinc.org/11526-1
MRN_SYSTEM = "https://hospital.example/fhir/sid/mrn"
ORDER_SYSTEM = "https://hospital.example/fhir/sid/order"
POLICY = {flow: f"https://consilium.example/fhir/policy/{flow}" for flow in Flow}
PURPOSE = {Flow.DISCLOSE_TO_REVIEWER: "TREAT", Flow.RETURN_TO_CLINIC: "COC"}  # v3-ActReason


@dataclass(frozen=True)
class CaseData:
    """What one case is about. `study_instance_uid` and `accession_number` may be empty: then the order names none.

    `paper_date` is when the pathology was reported and the consents were signed.
    """

    family: str
    given: str
    birth_date: date
    gender: str
    record_number: str
    order_number: str
    study_instance_uid: str
    accession_number: str
    clinic: Identifier
    reviewer: Identifier
    paper_date: date = date(2026, 1, 4)


def clinic_bundle(case: CaseData, pathology_pdf: bytes, consents: tuple[Flow, ...] = tuple(Flow)) -> Json:
    """One transaction: Organization, Patient, ServiceRequest, the consents and the pathology report."""
    patient, order, clinic = _urn(), _urn(), _urn()
    entries = [
        _create(clinic, organization(case), case.clinic),
        _create(patient, patient_resource(case), Identifier(MRN_SYSTEM, case.record_number)),
        _create(order, service_request(case, patient, clinic)),
        *(_create(_urn(), consent(case, flow, patient)) for flow in consents),
        _create(_urn(), document(patient, order, pathology_pdf, case.paper_date)),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def organization(case: CaseData) -> Json:
    """The clinic itself."""
    return {"resourceType": "Organization", "identifier": [_identifier(case.clinic)], "name": "Demo Hospital"}


def patient_resource(case: CaseData) -> Json:
    """The patient under the clinic's record number."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MRN_SYSTEM, "value": case.record_number}],
        "name": [{"use": "official", "family": case.family, "given": case.given.split()}],
        "birthDate": case.birth_date.isoformat(),
        "gender": case.gender,
    }


def service_request(case: CaseData, patient: str, requester: str) -> Json:
    """The order; `patient` and `requester` are references."""
    studies: list[Json] = []
    if case.study_instance_uid:
        uid = {"system": DICOM_UID_SYSTEM, "value": OID_PREFIX + case.study_instance_uid}
        studies.append({"type": "ImagingStudy", "identifier": uid})
    if case.accession_number:
        kind = {"coding": [{"system": IDENTIFIER_TYPE_SYSTEM, "code": ACCESSION_NUMBER}]}
        studies.append({"type": "ImagingStudy", "identifier": {"type": kind, "value": case.accession_number}})
    placer = {"coding": [{"system": IDENTIFIER_TYPE_SYSTEM, "code": PLACER_NUMBER}]}
    order: Json = {
        "resourceType": "ServiceRequest",
        "identifier": [{"type": placer, "system": ORDER_SYSTEM, "value": case.order_number}],
        "status": "active",
        "intent": "order",
        "priority": "routine",
        "subject": {"reference": patient},
        "requester": {"reference": requester},
        "performer": [{"identifier": _identifier(case.reviewer)}],
        "reasonCode": [{"coding": [{"system": REFERRAL_REASON_SYSTEM, "code": SECOND_OPINION}]}],
    }
    return order | ({"supportingInfo": studies} if studies else {})


def consent(case: CaseData, flow: Flow, patient: str, status: str = "active") -> Json:
    """The patient's written consent to one flow, with its signed source attached."""
    recipient = case.reviewer if flow is Flow.DISCLOSE_TO_REVIEWER else case.clinic
    role = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
    purpose = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": PURPOSE[flow]}
    action = {"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "disclose"}
    return {
        "resourceType": "Consent",
        "status": status,
        "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_concept(LOINC, "59284-0")],
        "patient": {"reference": patient},
        "dateTime": f"{case.paper_date}T10:00:00+03:00",
        "sourceAttachment": {"contentType": "text/plain", "data": base64.b64encode(b"signed on paper").decode()},
        "policy": [{"uri": POLICY[flow]}],
        "provision": {
            "type": "permit",
            "actor": [{"role": {"coding": [role]}, "reference": {"identifier": _identifier(recipient)}}],
            "action": [{"coding": [action]}],
            "purpose": [purpose],
        },
    }


def document(patient: str, order: str, pdf: bytes, reported_on: date = date(2026, 1, 4)) -> Json:
    """The pathology report as PDF."""
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": _concept(LOINC, PATHOLOGY_STUDY),
        "subject": {"reference": patient},
        "date": f"{reported_on}T09:00:00+03:00",
        "context": {"related": [{"reference": order}]},
        "content": [{"attachment": {"contentType": "application/pdf", "data": base64.b64encode(pdf).decode()}}],
    }


def report_bundle(pseudonym: str, *, number: str, signed_at: datetime, text: str = "") -> Json:
    """The reviewer's report: DiagnosticReport and Composition in one transaction, about the pseudonym alone."""
    report, composition = _urn(), _urn()
    shared: Json = {"system": "https://reviewer.example/fhir/sid/report", "value": number}
    subject = {"identifier": {"system": PSEUDONYM_SYSTEM, "value": pseudonym}}
    code = _concept(LOINC, CONSULT_NOTE)
    diagnostic_report = {
        "resourceType": "DiagnosticReport",
        "identifier": [shared],
        "status": "final",
        "category": [{"text": "Head and neck surgery"}],
        "code": code,
        "subject": subject,
        "issued": signed_at.isoformat(),
        "conclusion": "The diagnosis is confirmed; a modified treatment plan is proposed.",
    }
    written = {
        "resourceType": "Composition",
        "identifier": shared,
        "status": "final",
        "type": code,
        "subject": subject,
        "date": signed_at.isoformat(),
        "author": [{"display": "Prof. Dr. Deniz Yıldırım"}],
        "title": "Second opinion",
        "section": [_section(name, title, text) for name, title in SECTION_TITLES.items()],
    }
    entries = [_create(report, diagnostic_report), _create(composition, written)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _section(code: str, title: str, text: str) -> Json:
    words = text or SECTION_TEXTS[code]
    return {
        "title": title,
        "code": _concept(SECTION_SYSTEM, code),
        "text": {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{words}</p></div>'},
    }


def _create(full_url: str, resource: Json, unless_exists: Identifier | None = None) -> Json:
    request: Json = {"method": "POST", "url": resource["resourceType"]}
    if unless_exists is not None:
        request["ifNoneExist"] = f"identifier={unless_exists.system}|{unless_exists.value}"
    return {"fullUrl": full_url, "resource": resource, "request": request}


def _urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def _identifier(identifier: Identifier) -> Json:
    return {"system": identifier.system, "value": identifier.value}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


SECTION_TEXTS = {
    "summary": "Squamous cell carcinoma of the lateral tongue, clinically confined. The diagnosis is confirmed.",
    "diagnostic-evaluation": "Biopsy and imaging agree. A PET-CT is missing; a second primary is not excluded.",
    "staging-review": "cT2 cN0 cM0 (AJCC, 8th edition); we agree with the stage.",
    "treatment-comparison": "Surgery with elective neck dissection, compared with definitive radiotherapy.",
    "special-considerations": "The patient prefers to preserve speech; a reconstruction is advised.",
    "risk-assessment": "ASA 2, BMI 27: moderate surgical risk; fistula below five per cent.",
    "references": "NCCN Guidelines Head and Neck Cancers; ESMO Clinical Practice Guideline.",
    "next-steps": "Keep the plan, modify it as described, or ask an alternative centre.",
}
