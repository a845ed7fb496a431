"""Resources inside a resource (https://hl7.org/fhir/R4/references.html#contained), and the invariants dom-2 to dom-5."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.domain.errors import Invalid


def contained_types(resource: Mapping[str, Any]) -> dict[str, str]:
    """Types of the contained resources by id, of a resource that was not checked yet."""
    found = resource.get("contained")
    inner = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return {str(one["id"]): str(one.get("resourceType", "")) for one in inner if "id" in one}


def check_contained(resource: Mapping[str, Any], *, at: str) -> None:
    """Do nothing when each contained resource is one that may be, and is referred to; they were checked by themselves.

    Raises Invalid.
    """
    contained = resource.get("contained", [])
    linked = set(_fragments(resource)) if contained else set()
    known: set[str] = set()
    for index, one in enumerate(contained):
        place, name = f"{at}.contained[{index}]", str(one.get("id", ""))
        _check_nature(one, place)
        if not name or name in known:
            raise Invalid("give each contained resource an id of its own", at=place)
        if f"#{name}" not in linked and "#" not in _fragments(one):
            raise Invalid("refer to the contained resource by #id, or leave it out (dom-3)", at=place)
        known.add(name)


def _check_nature(contained: Mapping[str, Any], at: str) -> None:
    meta = contained.get("meta", {})
    if "contained" in contained or contained.get("resourceType") == "Bundle":
        raise Invalid("a contained resource may not contain others (dom-2)", at=at)
    if isinstance(meta, dict) and {"versionId", "lastUpdated"} & set(meta):
        raise Invalid("a contained resource has no version of its own; leave it out (dom-4)", at=f"{at}.meta")
    if isinstance(meta, dict) and "security" in meta:
        raise Invalid("label the resource itself, not what it contains (dom-5)", at=f"{at}.meta.security")


def _fragments(value: Any) -> Iterator[str]:
    """Every text that begins with `#`, in whatever member: canonicals have the names of their elements."""
    if isinstance(value, dict):
        for member in value.values():
            yield from _fragments(member)
    elif isinstance(value, list):
        for item in value:
            yield from _fragments(item)
    elif isinstance(value, str) and value.startswith("#"):
        yield value
