"""What the FHIR endpoint can do (https://hl7.org/fhir/R4/capabilitystatement.html).

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| date | date | yes | the day the process started |
| software.version | version | yes | |
| implementation.url | base_url | yes | the FHIR base URL |
| rest.security | token_url | yes | SMART backend services |
| rest.resource | readable, writable | yes | create and update for the writable ones only |
| rest.resource.searchParam | SEARCH_PARAMETERS | yes | |
"""

from collections.abc import Collection
from typing import Any

from fhir_mappings.json_text import FHIR_JSON

_BY_IDENTIFIER = ("_id", "identifier")
_BY_PATIENT = (*_BY_IDENTIFIER, "patient")
_BY_SUBJECT = (*_BY_PATIENT, "subject")

SEARCH_PARAMETERS = {
    "Binary": ("_id",),
    "Composition": _BY_SUBJECT,
    "Consent": _BY_PATIENT,
    "DiagnosticReport": _BY_SUBJECT,
    "DocumentReference": _BY_SUBJECT,
    "ImagingStudy": _BY_SUBJECT,
    "Organization": _BY_IDENTIFIER,
    "Patient": _BY_IDENTIFIER,
    "Practitioner": _BY_IDENTIFIER,
    "PractitionerRole": _BY_IDENTIFIER,
    "Provenance": ("_id",),
    "ServiceRequest": _BY_SUBJECT,
}
"""Search parameters by resource type, as R4 names them (https://hl7.org/fhir/R4/searchparameter-registry.html)."""

_PARAMETER_TYPES = {"_id": "token", "identifier": "token", "patient": "reference", "subject": "reference"}
_SMART_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def capability_statement(
    *, base_url: str, token_url: str, version: str, date: str, readable: Collection[str], writable: Collection[str]
) -> dict[str, Any]:
    """The CapabilityStatement of one running instance; `date` is a FHIR dateTime."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Consilium", "version": version},
        "implementation": {"description": "Gateway for independent second opinions", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["json", FHIR_JSON],
        "rest": [
            {
                "mode": "server",
                "documentation": "Each client finds what its own organisation has. A report is one transaction.",
                "security": _security(token_url),
                "resource": [_resource(kind, is_writable=kind in writable) for kind in sorted(readable)],
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _security(token_url: str) -> dict[str, Any]:
    return {
        "extension": [{"url": _SMART_URIS, "extension": [{"url": "token", "valueUri": token_url}]}],
        "service": [{"coding": [{"system": _SECURITY_SERVICES, "code": "SMART-on-FHIR"}]}],
        "description": "OAuth 2.0 client credentials; the token is sent as a bearer token",
    }


def _resource(kind: str, *, is_writable: bool) -> dict[str, Any]:
    writing = ("create", "update") if is_writable else ()
    parameters = SEARCH_PARAMETERS[kind]
    return {
        "type": kind,
        "interaction": [{"code": code} for code in ("read", "vread", *writing, "search-type")],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": is_writable,
        "conditionalRead": "not-supported",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
        "searchParam": [{"name": name, "type": _PARAMETER_TYPES[name]} for name in parameters],
    }
