"""Provenance: kept as it came; none of it is decided on (https://hl7.org/fhir/R4/provenance.html).

| FHIR path         | source | required | note                                                                      |
| ----------------- | ------ | -------- | ------------------------------------------------------------------------- |
| Provenance.target | clinic | yes      | each says its type, by a literal reference or `type`; a Consent is a 422  |
| everything else   | clinic | as in R4 | kept                                                                      |
"""

from typing import Any

from fhir_mappings.references import target_type
from gateway.domain.errors import Unprocessable

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"


def check_is_about_no_consent(provenance: dict[str, Any]) -> None:
    """Do nothing when every target is plainly something else than a Consent.

    A signature, a revision or a checked authority that only a Provenance tells would change nothing in a decision.
    Raises Unprocessable.
    """
    for number, target in enumerate(provenance["target"]):
        kind = target_type(str(target.get("reference", ""))) or str(target.get("type", "")).removeprefix(_STRUCTURE)
        if kind == "Consent":
            remedy = "replace a consent by a PUT to its id, or by one with its identifier and a later dateTime"
            raise Unprocessable(f"it is not evaluated for a Consent; {remedy}", at=f"Provenance.target[{number}]")
        if not kind:
            raise Unprocessable("say what it is by Type/id or `type`", at=f"Provenance.target[{number}]")
