"""What the FHIR endpoint can do (https://hl7.org/fhir/R4/capabilitystatement.html).

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| date | date | yes | the day the process started |
| software.version | version | yes | |
| implementation.url | base_url | yes | the FHIR base URL |
| rest.security | token_url | yes | SMART backend services |
| rest.resource | readable, writable | yes | create and update for the writable ones only |
| rest.resource.searchParam | SEARCH_PARAMETERS | yes | |
| rest.resource.documentation | SEARCHED_BY | no | what a reviewer may do where it is less |
"""

from collections.abc import Collection
from typing import Any

from fhir_mappings.json_text import FHIR_JSON
from fhir_mappings.reviewer_search import SEARCHED_BY
from fhir_mappings.search_parameters import SEARCH_PARAMETERS

_WITHOUT_VERSIONS = frozenset(("AuditEvent",))
"""What is written once and never again."""

_SMART_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY_SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"


_OPERATIONS = {"Consent": {"decide": "https://consilium.example/fhir/OperationDefinition/Consent-decide"}}
"""Operations of a type, and by which canonical URL each goes (`fhir_mappings.decide_parameters`)."""


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
                "documentation": (
                    "Each client finds what its own organisation has; a reviewer's also reads and searches the assigned "
                    "cases, pseudonymously. A report is one transaction."
                ),
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
        "description": "SMART Backend Services: OAuth 2.0 client credentials by key or secret; the token is sent as a bearer token",
    }


def _resource(kind: str, *, is_writable: bool) -> dict[str, Any]:
    writing = ("create", "update") if is_writable else ()
    versions = () if kind in _WITHOUT_VERSIONS else ("vread", "history-instance")
    parameters = SEARCH_PARAMETERS[kind].values()
    operations = [{"name": name, "definition": url} for name, url in _OPERATIONS.get(kind, {}).items()]
    return {
        "type": kind,
        **({"documentation": _for_reviewers(kind)} if kind in SEARCHED_BY else {}),
        "interaction": [{"code": code} for code in ("read", *versions, *writing, "search-type")],
        "versioning": "versioned" if versions else "no-version",
        "readHistory": bool(versions),
        "updateCreate": False,
        "conditionalCreate": is_writable,
        "conditionalRead": "not-supported",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
        "searchParam": [{"name": one.name, "type": one.kind.value} for one in parameters],
        **({"operation": operations} if operations else {}),
    }


def _for_reviewers(kind: str) -> str:
    return (
        f"A reviewer reads and searches those of the open cases assigned to them, without versions, by "
        f"{', '.join(SEARCHED_BY[kind])} without modifiers. What the patient's consents do not permit is as if it were not there."
    )
