"""What is wrong with the structure of a resource, named by its element, in a sentence that says how to mend it.

No value is ever quoted, and a name only where it is spelt like the name of an element. An `expression` names a choice
as FHIRPath does, without its type: `Consent.source` (https://hl7.org/fhir/R4/fhirpath.html#polymorphism).
"""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from fhir_mappings.elements import elements_of, model_of
from gateway.domain.errors import Invalid

_LONGEST_NAME = 40
_NAME = re.compile(f"[a-z][A-Za-z]{{0,{_LONGEST_NAME - 1}}}")
"""How elements of R4 are spelt; anything else may be a word of the sender's, such as a name."""
_CLOSE = 0.75
"""How alike two names are that may have been meant for each other (`difflib`: 0 not at all, 1 the same)."""

_REQUIRED = "R4 requires this element, and it is not there: send it"
SENTENCES = {
    "missing": _REQUIRED,
    "model_field_validation.missing": _REQUIRED,
    "list_type": "an array of objects has no null in it: leave out what is not there",
    "model_validation_format": "something of another type stands here: send what R4 has here",
    "string_unicode": "half of a character (a lone surrogate) stands in the text: send whole ones",
}
"""By the kind of error of pydantic and of fhir.resources; any other kind is told by what stands at its place."""


def unknown_element(key: str, known: Collection[str], *, at: str) -> Invalid:
    """That R4 has no element `key` in what stands at `at`, where it has those `known`; and which may have been meant."""
    name = key.removeprefix("_")
    is_name = _NAME.fullmatch(name) is not None
    what, place = (f"element {name}", f"{at}.{name}") if is_name else ("such element", at)
    if name in known:
        return Invalid(f"{key} may stand beside a primitive only, and {name} is none: leave it out", at=f"{at}.{name}")
    meant = _meant(name, known)
    return Invalid(f"R4 knows no {what} here: {f'did you mean {meant}?' if meant else 'leave it out'}", at=place)


def _meant(name: str, known: Collection[str]) -> str:
    """The element whose name is spelt most like it; '' where none is close."""
    if len(name) > _LONGEST_NAME:
        return ""
    folded = {_folded(one): one for one in sorted(known)}
    close = difflib.get_close_matches(_folded(name), folded, n=1, cutoff=_CLOSE)
    return folded[close[0]] if close else ""


def _folded(name: str) -> str:
    return name.replace("_", "").casefold()


@dataclass(frozen=True)
class _Place:
    """What stands at a place: of an object its class, of a primitive its FHIR type."""

    at: str
    value: Any
    model: Any
    primitive: str = ""


def broken_structure(refusal: ValidationError, resource: dict[str, Any]) -> Invalid:
    """What the class of the resource type refused first; its messages and locations may quote the input, this never."""
    first = refusal.errors(include_input=False, include_context=False, include_url=False)[0]
    place = _Place(_type_of(resource), resource, _class_of(None, resource))
    for step in first["loc"]:
        place = _item(place, step) if isinstance(step, int) else _member(place, step)
    if first["type"] in SENTENCES:
        return Invalid(SENTENCES[first["type"]], at=place.at)
    if place.primitive:
        return Invalid(f"the value is not a FHIR {place.primitive}", at=place.at)
    return _broken_choice(place) or Invalid("R4 has something else here: compare it with its definition", at=place.at)


def _item(place: _Place, index: int) -> _Place:
    value = place.value[index] if isinstance(place.value, list) and index < len(place.value) else None
    return replace(place, at=f"{place.at}[{index}]", value=value, model=_class_of(place.model, value))


def _member(place: _Place, name: str) -> _Place:
    """The element of that name; the place itself where R4 knows none, for the name may be out of the input."""
    element = elements_of(place.model).get(name) if place.model is not None else None
    if element is None:
        return place
    value = place.value.get(name) if isinstance(place.value, dict) else None
    return _Place(f"{place.at}.{name}", value, _class_of(element.model, value), element.primitive)


def _class_of(model: Any, value: Any) -> Any:
    """The class that the element has, else of a resource that of its type."""
    return model if model is not None else model_of(_type_of(value))


def _type_of(value: Any) -> str:
    return str(value.get("resourceType", "")) if isinstance(value, dict) else ""


def _broken_choice(place: _Place) -> Invalid | None:
    for name, allowed, is_required in _choices(place.model):
        given = [one for one in allowed if isinstance(place.value, dict) and place.value.get(one) is not None]
        if len(given) > 1:
            return Invalid(f"only one {name}[x] may stand here: send {' or '.join(given)}", at=f"{place.at}.{name}")
        if is_required and not given:
            return Invalid(f"R4 requires {name}[x]: send one of {', '.join(allowed)}", at=f"{place.at}.{name}")
    return None


def _choices(model: Any) -> Iterator[tuple[str, list[str], bool]]:
    """Each choice of a class with its elements by their JSON names (https://hl7.org/fhir/R4/formats.html#choice)."""
    found: dict[str, list[str]] = {}
    required = set()
    for name, field in model.model_fields.items() if model is not None else ():
        extra = field.json_schema_extra or {}
        if choice := extra.get("one_of_many"):
            found.setdefault(choice, []).append(field.alias or name)
            required |= {choice} if extra.get("one_of_many_required") else set()
    for choice, allowed in found.items():
        yield choice, [one for one in allowed if one in elements_of(model)], choice in required
