"""References and identifiers between FHIR and the domain."""

from typing import Any

from fhir_mappings.codes import DICOM_UID_SYSTEM, OID_PREFIX
from fhir_mappings.primitives import ID
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier


def read_identifier(identifier: dict[str, Any]) -> Identifier | None:
    """An Identifier that has both system and value; None for any other."""
    system, value = identifier.get("system", ""), identifier.get("value", "")
    return Identifier(system, value) if system and value else None


def required_literal(reference: dict[str, Any], target: str, *, at: str) -> str:
    """The relative literal `Type/id` of a Reference to the resource type `target`.

    Raises:
        Unprocessable: another type, another form (an absolute URL, an identifier alone, a version), or nothing.
    """
    literal = str(reference.get("reference", ""))
    kind, _, logical_id = literal.partition("/")
    if kind != target or not ID.fullmatch(logical_id):
        raise Unprocessable(f"a reference of the form {target}/id is required", at=at)
    return literal


def uid_identifier(uid: str) -> dict[str, str]:
    """A DICOM UID as a FHIR Identifier (https://hl7.org/fhir/R4/imagingstudy.html, notes on identifiers)."""
    return {"system": DICOM_UID_SYSTEM, "value": OID_PREFIX + uid}
