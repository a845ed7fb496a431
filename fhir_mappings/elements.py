"""What R4 says of each element, read from the metadata of the fhir.resources classes.

The classes carry the required bindings and the reference targets of the specification and enforce neither.
https://hl7.org/fhir/R4/terminologies.html#required, https://hl7.org/fhir/R4/references.html
"""

import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

_PYTHON_PRIMITIVES = {bool: "boolean", str: "string", int: "integer"}

_REPORT_STATUS = "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown"
_TASK_STATUS = (
    "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed entered-in-error"
)
_COMPARATORS = frozenset(("<", "<=", ">=", ">"))
_EVENTS = (
    "MORN MORN.early MORN.late NOON AFT AFT.early AFT.late EVE EVE.early EVE.late NIGHT PHS"
    " HS WAKE C CM CD CV AC ACM ACD ACV PC PCM PCD PCV"
)
_OWN_BINDINGS = {
    **{(kind, "comparator"): _COMPARATORS for kind in ("Age", "Count", "Distance", "Duration", "Quantity")},
    ("AuditEvent", "action"): frozenset("CRUDE"),
    ("AuditEvent", "outcome"): frozenset(("0", "4", "8", "12")),
    ("AuditEventAgentNetwork", "type"): frozenset("12345"),
    ("Composition", "confidentiality"): frozenset("ULMNRV"),
    ("DiagnosticReport", "status"): frozenset(_REPORT_STATUS.split()),
    ("Observation", "status"): frozenset(_REPORT_STATUS.split()) - {"partial", "appended"},
    ("Task", "status"): frozenset(_TASK_STATUS.split()),
    ("TimingRepeat", "when"): frozenset(_EVENTS.split()),
}
"""Where the classes shorten a list or leave it out: https://hl7.org/fhir/R4/valueset-diagnostic-report-status.html, and
likewise observation-status, task-status, quantity-comparator, audit-event-action, audit-event-outcome, network-type,
event-timing; https://terminology.hl7.org/ValueSet-v3-ConfidentialityClassification.html"""

_MIME_TYPES = frozenset(
    (
        ("Attachment", "contentType"),
        ("Binary", "contentType"),
        ("Signature", "targetFormat"),
        ("Signature", "sigFormat"),
    )
)
"""Bound to https://hl7.org/fhir/R4/valueset-mimetypes.html, which is a grammar (RFC 6838), not a list."""

_NOT_IN_R4 = frozenset((("Extension", "valueCodeableReference"), ("Extension", "valueRatioRange")))
"""What R4B has and R4 has not (https://hl7.org/fhir/R4/extensibility.html)."""

_NARROWER_TARGETS = {("DiagnosticReport", "subject"): frozenset(("Patient", "Group", "Device", "Location"))}
"""Where R4B lets a reference point to more types than https://hl7.org/fhir/R4/diagnosticreport.html does."""

_SHORTENED = frozenset(("+", "etc."))


@dataclass(frozen=True)
class Element:
    """One element: either `primitive` (a FHIR type name, or `mimeType`) or `model` (its class) is set; a `Resource` has neither.

    `codes` holds the codes of a required binding, `targets` the resource types that a reference may point to;
    empty means any.
    """

    primitive: str
    model: Any
    is_list: bool
    codes: frozenset[str]
    targets: frozenset[str]


def model_of(resource_type: str) -> Any | None:
    """The class of a resource type, or None when R4 knows no such resource."""
    if not resource_type.isalpha():
        return None
    try:
        model = get_fhir_model_class(resource_type)
    except (KeyError, ValueError):
        return None
    return model if model.has_resource_base() else None


@lru_cache(maxsize=512)
def elements_of(model: Any) -> dict[str, Element]:
    """The elements of a class by their JSON name, without the `_` companions of primitives and `resourceType`."""
    elements = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra or {}
        if name.endswith("__ext") or not (extra.get("element_property") or name == "id"):
            continue
        primitive, inner, is_list = _kind(field.annotation)
        place = (model.__resource_type__, name)
        if place in _NOT_IN_R4:
            continue
        codes = _OWN_BINDINGS.get(place, frozenset(extra.get("enum_values", ())))
        targets = _NARROWER_TARGETS.get(place, frozenset(extra.get("enum_reference_types", ())) - {"Resource"})
        elements[field.alias or name] = Element(
            primitive="mimeType" if place in _MIME_TYPES else _format(primitive, name, model),
            model=inner,
            is_list=is_list,
            codes=frozenset() if codes & _SHORTENED else codes,
            targets=targets,
        )
    return elements


def _format(primitive: str, name: str, model: Any) -> str:
    """`id` of a resource is an id, `id` of an element any string (https://hl7.org/fhir/R4/element.html)."""
    if name != "id":
        return primitive
    return "id" if model.has_resource_base() else "string"


def _kind(annotation: Any) -> tuple[str, Any, bool]:
    """Primitive name, complex class and whether it repeats, out of a type annotation of a field."""
    is_list = False
    while True:
        arguments = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
        if typing.get_origin(annotation) is list:
            is_list = True
        elif hasattr(annotation, "__metadata__"):
            return _visit_name(annotation), None, is_list
        elif not arguments:
            break
        annotation = arguments[0]
    if annotation in _PYTHON_PRIMITIVES:
        return _PYTHON_PRIMITIVES[annotation], None, is_list
    model = annotation.get_model_klass()
    return "", None if model.__resource_type__ == "Resource" else model, is_list


def _visit_name(annotation: Any) -> str:
    names = [getattr(item, "__visit_name__", "") for item in annotation.__metadata__]
    return next((name for name in names if name), "uuid")
