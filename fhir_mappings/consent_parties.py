"""Who gave a Consent, other than the patient: https://hl7.org/fhir/R4/consent-definitions.html#Consent.performer"""

import hashlib
import json
from typing import Any

from fhir_mappings.consent_elements import objects, party
from gateway.domain.consent import PartyReference


def performers(consent: dict[str, Any]) -> tuple[PartyReference, ...]:
    """Whom Consent.performer names, in its order. Raises Invalid."""
    return tuple(party(one, at) for at, one in objects(consent, "performer", "Consent"))


def performers_digest(consent: dict[str, Any]) -> str:
    """Changes when the Consent names somebody else, and tells nothing of whom. Raises Invalid."""
    named = sorted(
        [one.reference, *((one.identifier.system, one.identifier.value) if one.identifier else ())]
        for one in performers(consent)
    )
    return hashlib.sha256(json.dumps(named, ensure_ascii=True).encode()).hexdigest()


def is_same_party(one: PartyReference, other: PartyReference) -> bool:
    """Whether the two name the same, by the reference if both have one, else by the identifier."""
    if one.reference and other.reference:
        return one.reference == other.reference
    return one.identifier is not None and one.identifier == other.identifier
