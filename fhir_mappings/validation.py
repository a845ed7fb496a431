"""Is this JSON a FHIR R4 resource that the gateway can take in? Structure, formats, bindings, references, narrative.

https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/validation.html. The fhir.resources classes settle
structure, cardinality and choice types; what they let through is checked here first, element by element:

- every `resourceType`, also of contained resources and Bundle entries; no element that R4 does not know
- JSON types, and the format of ids, dates, codes and the other primitives; nothing empty, no stray null
- codes of required bindings; target types of references; fragments that resolve
- the XHTML subset of narratives
- the invariants of R4 (`fhir_mappings.invariants`)
- `modifierExtension` and `implicitRules` are refused: they may change the meaning, and none is understood here

Profiles and terminology beyond required bindings are not checked. No message quotes a value.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir.resources.R4B.element import Element as ElementClass
from pydantic import ValidationError

from fhir_mappings.contained import check_contained, contained_types
from fhir_mappings.elements import Element, elements_of, model_of
from fhir_mappings.invariants import check_invariants
from fhir_mappings.narrative import check_narrative
from fhir_mappings.primitives import check_primitive
from fhir_mappings.references import check_reference
from fhir_mappings.structure import broken_structure, unknown_element
from gateway.domain.errors import Invalid, Unprocessable

_NOT_UNDERSTOOD = ("modifierExtension", "implicitRules")


def check_resource(resource: object, allowed_types: Collection[str]) -> None:
    """Do nothing when `resource` (parsed JSON) is a valid resource of one of `allowed_types`.

    Raises:
        Invalid: it breaks a rule of R4; `at` is the FHIRPath of the element.
        Unprocessable: it is R4, and carries a modifier that the gateway does not understand.
    """
    if not isinstance(resource, dict):
        raise Invalid("a resource is a JSON object")
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in allowed_types:
        raise Invalid(f"the resource has to be one of: {', '.join(sorted(allowed_types))}", at="resourceType")
    try:
        _check_resource(resource, kind, {})
        _check_by_class(resource, kind)
    except RecursionError:
        raise Invalid("the resource is nested too deeply", at=kind) from None


def _check_by_class(resource: dict[str, Any], kind: str) -> None:
    model = model_of(kind)
    if model is None:
        raise Invalid("no such resource type in R4", at="resourceType")
    try:
        model.model_validate(resource)
    except ValidationError as refusal:
        raise broken_structure(refusal, resource) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        remedy = f"compare it with https://hl7.org/fhir/R4/{kind.lower()}.html"
        raise Invalid(f"the resource does not have the structure of R4: {remedy}", at=kind) from None


def _check_resource(resource: object, path: str, within: Mapping[str, str]) -> None:
    """`within` are the types of what the resource stands beside, where it is contained itself."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    model = model_of(kind) if isinstance(kind, str) else None
    if not isinstance(resource, dict) or not isinstance(kind, str) or model is None:
        raise Invalid("no such resource type in R4", at=f"{path}.resourceType")
    body = {key: value for key, value in resource.items() if key != "resourceType"}
    _check_members(body, model, path, contained_types(resource) or within)
    check_contained(resource, at=path)
    check_invariants(resource, kind, at=path)


def _check_members(body: Mapping[str, Any], model: Any, path: str, contained: Mapping[str, str]) -> None:
    elements = elements_of(model)
    for key, value in body.items():
        name = key.removeprefix("_")
        element = elements.get(name)
        if element is None or (key != name and not element.primitive):
            raise unknown_element(key, elements, at=path)
        if name in _NOT_UNDERSTOOD:
            remedy = "may change the meaning and is not understood here; leave it out"
            raise Unprocessable(f"{name} {remedy}", at=f"{path}.{name}")
        if isinstance(value, list) != element.is_list:
            raise Invalid("a repeating element is an array, any other one is not", at=f"{path}.{name}")
        companion = body.get(name if key != name else f"_{name}") if element.primitive else None
        for at, item, beside in _items(value, companion, f"{path}.{name}"):
            if key != name:
                _check_companion(item, at, contained, is_alone=beside is None)
            else:
                _check_value(item, element, at, contained)


def _items(value: Any, companion: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Each item with its place and what the companion has there; a null only stands where that is something."""
    if not isinstance(value, list):
        yield path, value, companion
        return
    if all(item is None for item in value):
        raise Invalid("an array may not be empty", at=path)
    besides = companion if isinstance(companion, list) else [None] * len(value)
    if len(besides) != len(value):
        raise Invalid("beside an array the one with `_` has as many items, null where there is nothing", at=path)
    for index, (item, beside) in enumerate(zip(value, besides, strict=True)):
        if item is not None or beside is None:
            yield f"{path}[{index}]", item, beside


def _check_companion(item: Any, path: str, contained: Mapping[str, str], *, is_alone: bool) -> None:
    """The `_name` object beside a primitive: id and extensions (https://hl7.org/fhir/R4/json.html#primitive)."""
    if not isinstance(item, dict) or not item or set(item) - {"id", "extension"}:
        raise Invalid("beside a primitive only id and extension may stand", at=path)
    if is_alone and "extension" not in item:
        raise Invalid("an id alone says nothing; give the value, or an extension in its place (ele-1)", at=path)
    _check_members(item, ElementClass, path, contained)


def _check_value(value: Any, element: Element, path: str, contained: Mapping[str, str]) -> None:
    if element.primitive:
        check_primitive(value, element.primitive, at=path)
        if element.codes and value not in element.codes:
            raise Invalid(f"the code has to be one of: {', '.join(sorted(element.codes))}", at=path)
        if element.primitive == "xhtml":
            check_narrative(value, at=path, may_link=True)
        return
    if not isinstance(value, dict) or not value.keys() - {"id"}:
        raise Invalid("a JSON object that says something is needed here (ele-1)", at=path)
    if element.model is None:
        _check_resource(value, path, contained)
        return
    _check_members(value, element.model, path, contained)
    check_invariants(value, element.model.__resource_type__, at=path)
    if element.model.__resource_type__ == "Reference":
        check_reference(value, element.targets, contained, at=path)
