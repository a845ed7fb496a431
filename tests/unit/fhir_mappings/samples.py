"""Valid resources for the tests to copy and break."""

import base64
import copy
from typing import Any

from fhir_mappings.codes import PSEUDONYM_SYSTEM
from gateway.domain.report import SECTION_SYSTEM, SECTION_TITLES

Json = dict[str, Any]

PDF = b"%PDF-1.7\n%synthetic\n"
REVIEWER_SYSTEM = "https://reviewer.example/reports"
CLINIC_SYSTEM = "https://clinic.example/orders"


def div(body: str) -> str:
    """A narrative div around XHTML content."""
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'


def patient() -> Json:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "https://clinic.example/mrn", "value": "4711"}],
        "name": [
            {"use": "usual", "family": "Öztürk", "given": ["Ayşe", "Işıl"]},
            {"use": "nickname", "text": "Ayşecik"},
        ],
        "birthDate": "1961-04-23",
        "gender": "female",
    }


def service_request() -> Json:
    accession = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
    return {
        "resourceType": "ServiceRequest",
        "id": "o1",
        "identifier": [{"system": CLINIC_SYSTEM, "value": "ORD-1"}],
        "status": "active",
        "intent": "order",
        "priority": "urgent",
        "subject": {"reference": "Patient/p1"},
        "requester": {"reference": "Organization/clinic"},
        "performer": [
            {"reference": "Organization/board"},
            {"identifier": {"system": "https://reviewer.example/id", "value": "r-1"}},
        ],
        "supportingInfo": [
            {
                "type": "ImagingStudy",
                "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.826.0.1.3680043.8.498.1"},
            },
            {"type": "ImagingStudy", "identifier": {"type": accession, "value": "A-77"}},
        ],
        "reasonCode": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0336", "code": "S"}]},
            {"text": "Treatment plan for a laryngeal tumour"},
        ],
    }


def document_reference() -> Json:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11526-1", "display": "Pathology study"}]},
        "subject": {"reference": "Patient/p1"},
        "date": "2026-02-11T23:30:00+03:00",
        "context": {"related": [{"reference": "ServiceRequest/o1"}]},
        "content": [
            {"attachment": {"contentType": "application/pdf", "data": base64.b64encode(PDF).decode(), "size": len(PDF)}}
        ],
    }


def composition() -> Json:
    return {
        "resourceType": "Composition",
        "identifier": {"system": REVIEWER_SYSTEM, "value": "R-1"},
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": {"identifier": {"system": PSEUDONYM_SYSTEM, "value": "CS-7F3K"}},
        "date": "2026-03-02T09:30:00+03:00",
        "author": [{"display": "Prof. Dr. Deniz Yıldırım"}],
        "title": "Second opinion",
        "section": [
            {
                "title": title,
                "code": {"coding": [{"system": SECTION_SYSTEM, "code": code}]},
                "text": {"status": "additional", "div": div(f"<p>About {code}.</p>")},
            }
            for code, title in SECTION_TITLES.items()
        ],
    }


def diagnostic_report() -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": REVIEWER_SYSTEM, "value": "R-1"}],
        "status": "final",
        "category": [{"text": "Head and neck surgery"}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": {"identifier": {"system": PSEUDONYM_SYSTEM, "value": "CS-7F3K"}},
        "effectiveDateTime": "2026-03-02T09:00:00+03:00",
        "issued": "2026-03-02T09:30:00+03:00",
        "conclusion": "The diagnosis is confirmed; the plan should change.",
    }


def changed(resource: Json, path: str, value: Any) -> Json:
    """A copy with the element at `path` (`a.b[0].c`) set, or removed for `...`."""
    copied = copy.deepcopy(resource)
    parts = path.replace("[", ".[").split(".")
    steps: list[Any] = [int(part[1:-1]) if part.startswith("[") else part for part in parts]
    target: Any = copied
    for step in steps[:-1]:
        target = target[step]
    if value is ...:
        del target[steps[-1]]
    else:
        target[steps[-1]] = value
    return copied
