"""Code systems, identifier systems and codes that the mappings share, each with its source."""

from typing import Any

PSEUDONYM_SYSTEM = "https://consilium.example/fhir/sid/pseudonym"
"""Identifier system of the name under which a reviewer knows a patient."""

REPORT_SYSTEM = "https://consilium.example/fhir/sid/report"
"""Identifier system of a report: one value for all its versions."""

DELIVERY_SYSTEM = "https://consilium.example/fhir/sid/delivery"
RECALL_SYSTEM = "https://consilium.example/fhir/sid/recall"
"""Identifier systems of a delivery and of a recall notice, by the ids that the command line shows."""

CONSENT_REQUEST_SYSTEM = "https://consilium.example/fhir/CodeSystem/consent-request"
"""Our codes of a Task that asks for a consent: obtain-consent, and missing, there, not-needed of its businessStatus."""

LOINC = "http://loinc.org"
CONSULT_NOTE = "11488-4"
"""LOINC 11488-4 "Consult note": DiagnosticReport.code and Composition.type of a report."""

IDENTIFIER_TYPE_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACCESSION_NUMBER = "ACSN"
PLACER_NUMBER = "PLAC"
"""Codes of https://terminology.hl7.org/CodeSystem-v2-0203.html: accession id, and the number the orderer gave."""

REFERRAL_REASON_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0336"
SECOND_OPINION = "S"
"""https://terminology.hl7.org/CodeSystem-v2-0336.html: S is "Second Opinion"."""

DIAGNOSTIC_SERVICE_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0074"
OTHER_SERVICE = "OTH"
"""https://terminology.hl7.org/CodeSystem-v2-0074.html: what no listed diagnostic service fits."""

DICOM_UID_SYSTEM = "urn:dicom:uid"
"""Identifier.system of a DICOM UID, whose value is `urn:oid:` + UID (https://hl7.org/fhir/R4/imagingstudy.html)."""

OID_PREFIX = "urn:oid:"
DICOM_TERMINOLOGY = "http://dicom.nema.org/resources/ontology/DCM"
"""DICOM controlled terminology (PS3.16 Annex D), in which modalities are coded."""

DATA_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
"""Extension that says why a required value is missing (https://hl7.org/fhir/R4/extension-data-absent-reason.html)."""

URI_SYSTEM = "urn:ietf:rfc:3986"
"""Coding.system of a code that is itself a URI; used for SOP classes."""

COMPOSITION_LINK = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.composition"
"""Extension on an R4 DiagnosticReport for R5's DiagnosticReport.composition (the cross-version rule of R5)."""

DIAGNOSTIC_REPORT_LINKS = (
    "http://hl7.eu/fhir/extensions/StructureDefinition/composition-diagnosticReportReference",
    "http://hl7.eu/fhir/laboratory/StructureDefinition/composition-diagnosticReportReference",
)
"""Extension on Composition that names its DiagnosticReport (HL7 Europe; the second URL is its older home)."""


def codes_of(concept: dict[str, Any], system: str) -> tuple[str, ...]:
    """The codes that a CodeableConcept has from `system`, in its order."""
    codings = concept.get("coding", [])
    return tuple(coding["code"] for coding in codings if coding.get("system") == system and "code" in coding)


def concept_label(concept: dict[str, Any]) -> str:
    """What a person reads in a CodeableConcept: its text, else the first display, else ''."""
    if text := str(concept.get("text", "")).strip():
        return text
    displays = (str(coding.get("display", "")).strip() for coding in concept.get("coding", []))
    return next((display for display in displays if display), "")
