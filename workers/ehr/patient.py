"""The EHR's own Patient for the person the clinic ordered for: exactly one, or a person has to look.

https://hl7.org/fhir/R4/patient.html , https://hl7.org/fhir/R4/references.html#logical
"""

from collections.abc import Sequence

from fhir_mappings.primitives import ID
from gateway.domain.errors import Permanent
from gateway.domain.party import Identifier
from workers.ehr.answer import Resource
from workers.ehr.capability import TypeCapability
from workers.ehr.client import Session
from workers.ehr.search import search_by_identifier


def find_patient(session: Session, offered: TypeCapability, identifiers: Sequence[Identifier]) -> Resource:
    """A Reference to the EHR's Patient; by identifier alone where the EHR offers no search for it.

    Raises: Permanent when none, several, an inactive or a merged-away Patient answers to `identifiers`.
    """
    usable = [identifier for identifier in identifiers if identifier.system and identifier.value]
    if not usable:
        raise Permanent("The clinic's Patient has no identifier with a system by which its EHR could find it.")
    if not offered.may_search_by_identifier:
        first = usable[0]
        return {"type": "Patient", "identifier": {"system": first.system, "value": first.value}}
    found = search_by_identifier(session, "Patient", usable, may_use_url=False)
    if not found:
        raise Permanent("The EHR knows no Patient with the identifiers of the order; the clinic has to correct one.")
    if len(found) > 1:
        raise Permanent("The EHR has several Patients with the identifiers of the order; the clinic has to merge them.")
    return _reference(found[0])


def _reference(patient: Resource) -> Resource:
    patient_id = patient.get("id")
    if not isinstance(patient_id, str) or not ID.fullmatch(patient_id):
        raise Permanent("The EHR answered with a Patient without a valid id.")
    if patient.get("active") is False:
        raise Permanent("The EHR's Patient is marked as inactive; the clinic has to say which record is in use.")
    links = patient.get("link")
    if isinstance(links, list) and any(isinstance(link, dict) and link.get("type") == "replaced-by" for link in links):
        raise Permanent("The EHR's Patient was merged into another record; the clinic has to say which is in use.")
    return {"reference": f"Patient/{patient_id}", "type": "Patient"}
