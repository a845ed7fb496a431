"""A version of a Consent that ends it: of such a one only what the end needs has to be right.

| FHIR path | required | note |
| --- | --- | --- |
| id | yes | that of the Consent |
| status | yes | inactive, rejected or entered-in-error |
| patient.reference | yes | the same Patient as before |
| everything else | no | kept as it came and not evaluated, also where R4 does not know it |
"""

from collections.abc import Callable
from typing import Any

from fhir_mappings.validation import check_resource
from gateway.domain.consent.vocabulary import ACT_CODE, CONSENT_SCOPE, PATIENT_PRIVACY
from gateway.domain.errors import Invalid

_WHOLE = {
    "scope": {"coding": [{"system": CONSENT_SCOPE, "code": PATIENT_PRIVACY}]},
    "category": [{"text": "consent"}],
    "policyRule": {"coding": [{"system": ACT_CODE, "code": "OPTOUT"}]},
}
"""What R4 requires of a Consent beside, so that the rest can be checked as that of any other."""


def checked_end(resource: dict[str, Any], resolve: Callable[[str, str], str]) -> dict[str, Any]:
    """The resource, of which only the patient's reference was resolved. Raises Invalid for what the end needs."""
    at, patient = "Consent.patient", resource.get("patient")
    literal = patient.get("reference") if isinstance(patient, dict) else None
    if not isinstance(patient, dict) or not isinstance(literal, str):
        raise Invalid("name the patient as Patient/id of this server", at=at)
    patient = patient | {"reference": resolve(literal, f"{at}.reference")}
    needed = {name: resource[name] for name in ("resourceType", "id", "status") if name in resource}
    check_resource(needed | {"patient": {"reference": patient["reference"]}} | _WHOLE, ("Consent",))
    return resource | {"patient": patient}


def patient_alone(resource: dict[str, Any]) -> dict[str, Any]:
    """Whose consent a checked end says that it is, without what else may stand there."""
    return {"resourceType": "Consent", "patient": {"reference": resource["patient"]["reference"]}}
