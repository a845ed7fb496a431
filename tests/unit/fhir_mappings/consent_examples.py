"""The two consents as a clinic's EHR sends them; each argument is something a test may want to be different."""

from typing import Any

REVIEWER = {"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "reviewer-north"}
CLINIC = {"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "clinic-izmir"}

Resource = dict[str, Any]


def coding(system: str, code: str) -> Resource:
    return {"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}


def concept(system: str, code: str) -> Resource:
    return {"coding": [coding(system, code)]}


def recipient(identifier: Resource | None = None, reference: str = "") -> Resource:
    """An information recipient, by identifier, by literal reference or by both."""
    party: Resource = {"reference": reference} if reference else {}
    if identifier:
        party |= {"type": "Organization", "identifier": identifier}
    return {"role": concept("v3-ParticipationType", "IRCP"), "reference": party}


def disclose_consent(
    *, patient: str = "Patient/p1", source: str = "DocumentReference/signed-form", reviewer: Resource = REVIEWER
) -> Resource:
    """Disclose the case to the reviewer, until a day in 2026: R4 core's shape, a permit nested in an untyped root."""
    permit = {
        "type": "permit",
        "actor": [recipient(reviewer)],
        "action": [concept("consentaction", "disclose")],
        "purpose": [coding("v3-ActReason", "TREAT")],
        "class": [
            {"system": "http://hl7.org/fhir/resource-types", "code": "ImagingStudy"},
            {"system": "http://hl7.org/fhir/resource-types", "code": "DocumentReference"},
        ],
    }
    root = {"period": {"start": "2026-01-01", "end": "2026-12-31"}, "provision": [permit]}
    return _consent(patient, source, "disclose-to-reviewer", "CONSENT-2026-0041-D", root)


def return_consent(
    *, patient: str = "Patient/p1", source: str = "DocumentReference/signed-form", clinic: Resource = CLINIC
) -> Resource:
    """Return the report to the clinic: IHE PCF's shape, the permit is the root itself."""
    root = {"type": "permit", "actor": [recipient(clinic)], "purpose": [coding("v3-ActReason", "COC")]}
    return _consent(patient, source, "return-to-clinic", "CONSENT-2026-0041-R", root)


def _consent(patient: str, source: str, policy: str, number: str, root: Resource) -> Resource:
    return {
        "resourceType": "Consent",
        "text": {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">Consent of the patient, signed on paper.</div>',
        },
        "identifier": [{"system": "https://ehr.example.org/consents", "value": number}],
        "status": "active",
        "scope": concept("consentscope", "patient-privacy"),
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]}],
        "patient": {"reference": patient},
        "dateTime": "2026-01-01T09:30:00+03:00",
        "performer": [{"reference": patient}],
        "organization": [{"identifier": CLINIC, "display": "The clinic that presented the form"}],
        "sourceReference": {"reference": source},
        "policy": [{"uri": f"https://consilium.example/fhir/policy/{policy}"}],
        "provision": root,
    }
