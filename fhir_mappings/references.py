"""References between resources: what type they point to (https://hl7.org/fhir/R4/references.html)."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from gateway.domain.errors import Invalid

_RESTFUL = re.compile(
    r"(https?://[^\s?#]+/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?"
)
_CONDITIONAL = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?\S+")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]*:\S+")


def target_type(reference: str) -> str:
    """The resource type that a literal reference names, or '' for one that names none (urn:uuid, another URL)."""
    match = _RESTFUL.fullmatch(reference) or _CONDITIONAL.fullmatch(reference)
    return match["type"] if match else ""


def check_reference(
    reference: Mapping[str, Any], targets: Collection[str], contained: Mapping[str, str], *, at: str
) -> None:
    """Do nothing when the reference says something and may point to what it says.

    `targets` are the types that R4 allows there (empty: any), `contained` the types of the contained resources by id.

    Raises:
        Invalid: nothing in it, a literal that is no reference, an unresolved fragment, or a type not allowed there.
    """
    if not {"reference", "identifier", "display", "extension"} & set(reference):
        raise Invalid("a reference needs at least one of reference, identifier and display", at=at)
    literal = str(reference.get("reference", ""))
    named = _named_type(literal, contained, at)
    stated = str(reference.get("type", "")).removeprefix("http://hl7.org/fhir/StructureDefinition/")
    if named and stated and named != stated:
        raise Invalid("the reference names one type and its `type` another", at=f"{at}.type")
    kind = named or stated
    if targets and kind and kind not in targets:
        raise Invalid(f"the reference has to point to one of: {', '.join(sorted(targets))}", at=at)


def _named_type(literal: str, contained: Mapping[str, str], at: str) -> str:
    if not literal:
        return ""
    if literal.startswith("#"):
        if literal != "#" and literal[1:] not in contained:
            raise Invalid("no contained resource has that id", at=f"{at}.reference")
        return contained.get(literal[1:], "")
    if not (named := target_type(literal)) and not _ABSOLUTE.fullmatch(literal):
        raise Invalid("a literal reference is Type/id, #id or an absolute URI", at=f"{at}.reference")
    return named
