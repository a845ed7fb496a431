"""Identifiers in what arrives, wherever they stand: their texts are compared exactly, so nothing unseen may be in them.

https://hl7.org/fhir/R4/datatypes.html#Identifier; R4 lets a string have white space around it and format characters in it.
What was stored before is still read.
"""

from collections.abc import Iterator
from typing import Any

from gateway.domain.errors import Unprocessable
from gateway.domain.identifier_text import REMEDY, is_exact


def check_identifiers(resource: dict[str, Any]) -> None:
    """Raise Unprocessable for one whose system or value has what nobody sees; `at` names it, the message does not."""
    for at, one in _identifiers(resource, str(resource.get("resourceType", "")), ""):
        for name in ("system", "value"):
            if isinstance(one.get(name), str) and not is_exact(one[name]):
                raise Unprocessable(f"an identifier is compared letter by letter; {REMEDY}", at=f"{at}.{name}")


def _identifiers(value: Any, path: str, element: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each with its FHIRPath; `element` is the name of the element that holds the value."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _identifiers(one, f"{path}[{index}]", element)
    if not isinstance(value, dict):
        return
    if element.casefold().endswith("identifier") or element == "requisition":
        yield path, value
    for name, member in value.items():
        yield from _identifiers(member, f"{path}.{name}", name)
