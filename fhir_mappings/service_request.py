"""ServiceRequest -> the order of a second opinion.

https://hl7.org/fhir/R4/servicerequest.html

| FHIR path                     | becomes             | required | note                                                        |
| ----------------------------- | ------------------- | -------- | ----------------------------------------------------------- |
| ServiceRequest.status         | status              | yes      | active, on-hold, revoked, completed, entered-in-error       |
| ServiceRequest.intent         | -                   | yes      | order                                                       |
| ServiceRequest.priority       | priority            | no       | routine (also when absent), urgent, asap                    |
| ServiceRequest.doNotPerform   | -                   | no       | absent or false                                             |
| ServiceRequest.subject        | patient_reference   | yes      | Patient/id                                                  |
| ServiceRequest.requester      | requester_*         | yes      | Organization, PractitionerRole or Practitioner              |
| ServiceRequest.performer      | performer_*         | no       | whom the clinic asks for                                    |
| ServiceRequest.identifier     | placer              | yes      | type PLAC, else the only one without a type; system + value |
| ServiceRequest.identifier     | accession_numbers   | no       | type ACSN (v2-0203)                                         |
| ServiceRequest.supportingInfo | study_instance_uids | no       | identifier urn:dicom:uid / urn:oid:UID                      |
| ServiceRequest.supportingInfo | accession_numbers   | no       | identifier of type ACSN                                     |
| ServiceRequest.reasonCode     | reason              | no       | a code of v2-0336 has to be S (second opinion)              |
"""

from typing import Any

from fhir_mappings.codes import (
    ACCESSION_NUMBER,
    DICOM_UID_SYSTEM,
    IDENTIFIER_TYPE_SYSTEM,
    OID_PREFIX,
    PLACER_NUMBER,
    REFERRAL_REASON_SYSTEM,
    SECOND_OPINION,
    codes_of,
    concept_label,
)
from fhir_mappings.links import read_identifier, required_literal
from fhir_mappings.references import target_type
from fhir_mappings.validation import check_resource
from gateway.domain.case import Order
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier
from gateway.domain.uids import is_valid_uid

_STATUSES = ("active", "on-hold", "revoked", "completed", "entered-in-error")
_PRIORITIES = ("routine", "urgent", "asap")
_REQUESTERS = ("", "Organization", "PractitionerRole", "Practitioner")


def order_from_fhir(resource: dict[str, Any], *, is_valid: bool = False) -> Order:
    """The order that a resource describes, checked; `is_valid` says that `check_resource` has passed it before.

    Raises:
        Invalid: not a ServiceRequest of R4.
        Unprocessable: R4, and not an order of a second opinion as the table above asks for.
    """
    if not is_valid:
        check_resource(resource, ("ServiceRequest",))
    _check_intent(resource)
    requester = _requester(resource)
    performers = resource.get("performer", [])
    imaging = [reference.get("identifier", {}) for reference in resource.get("supportingInfo", [])]
    return Order(
        status=resource["status"],
        priority=resource.get("priority", "routine"),
        placer=_placer(resource),
        patient_reference=required_literal(resource["subject"], "Patient", at="ServiceRequest.subject"),
        requester_reference=requester.get("reference", ""),
        requester_identifier=read_identifier(requester.get("identifier", {})),
        performer_references=tuple(item["reference"] for item in performers if "reference" in item),
        performer_identifiers=tuple(
            found for item in performers if (found := read_identifier(item.get("identifier", {}))) is not None
        ),
        study_instance_uids=_study_instance_uids(imaging),
        accession_numbers=_accession_numbers([*resource.get("identifier", []), *imaging]),
        reason=_reason(resource),
    )


def _requester(resource: dict[str, Any]) -> dict[str, Any]:
    requester: dict[str, Any] = resource.get("requester", {})
    if "reference" not in requester and read_identifier(requester.get("identifier", {})) is None:
        raise Unprocessable("a reference or an identifier of the clinic is required", at="ServiceRequest.requester")
    kind = target_type(requester.get("reference", "")) or requester.get("type", "")
    if kind not in _REQUESTERS:
        raise Unprocessable("the requester has to be of the clinic", at="ServiceRequest.requester")
    return requester


def _check_intent(resource: dict[str, Any]) -> None:
    if resource.get("intent") != "order":
        raise Unprocessable("the intent has to be order", at="ServiceRequest.intent")
    if resource.get("status") not in _STATUSES:
        raise Unprocessable(f"the status has to be one of: {', '.join(_STATUSES)}", at="ServiceRequest.status")
    if resource.get("priority", "routine") not in _PRIORITIES:
        raise Unprocessable(f"the priority has to be one of: {', '.join(_PRIORITIES)}", at="ServiceRequest.priority")
    if resource.get("doNotPerform", False):
        raise Unprocessable("an order not to perform is nothing to act on", at="ServiceRequest.doNotPerform")


def _is_of_type(identifier: dict[str, Any], code: str) -> bool:
    return code in codes_of(identifier.get("type", {}), IDENTIFIER_TYPE_SYSTEM)


def _placer(resource: dict[str, Any]) -> Identifier:
    identifiers = resource.get("identifier", [])
    candidates = [item for item in identifiers if _is_of_type(item, PLACER_NUMBER)]
    candidates = candidates or [item for item in identifiers if "type" not in item]
    if len(candidates) != 1 or (placer := read_identifier(candidates[0])) is None:
        raise Unprocessable(
            "exactly one order number with system and value is required, of type PLAC or without a type",
            at="ServiceRequest.identifier",
        )
    return placer


def _accession_numbers(identifiers: list[dict[str, Any]]) -> tuple[str, ...]:
    numbers = [str(item.get("value", "")).strip() for item in identifiers if _is_of_type(item, ACCESSION_NUMBER)]
    return tuple(dict.fromkeys(number for number in numbers if number))


def _study_instance_uids(identifiers: list[dict[str, Any]]) -> tuple[str, ...]:
    values = [str(item.get("value", "")) for item in identifiers if item.get("system") == DICOM_UID_SYSTEM]
    uids = tuple(dict.fromkeys(value.removeprefix(OID_PREFIX) for value in values))
    for value, uid in zip(values, (value.removeprefix(OID_PREFIX) for value in values), strict=True):
        if value == uid or not is_valid_uid(uid):
            raise Unprocessable("a study is named as urn:oid: and a DICOM UID", at="ServiceRequest.supportingInfo")
    return uids


def _reason(resource: dict[str, Any]) -> str:
    concepts = resource.get("reasonCode", [])
    coded = [code for concept in concepts for code in codes_of(concept, REFERRAL_REASON_SYSTEM)]
    if coded and SECOND_OPINION not in coded:
        raise Unprocessable("the referral reason has to be S, second opinion", at="ServiceRequest.reasonCode")
    return "; ".join(label for concept in concepts if (label := concept_label(concept)))
