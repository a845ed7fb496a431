"""The literal references inside a resource: found, named by search parameter, and rewritten.

| where | parameter |
| --- | --- |
| an element of type Reference | its name in kebab case (`basedOn` -> `based-on`), with the exceptions below |
| `subject` of a Patient | `subject` and `patient` |
| an extension's valueReference | by the extension's URL, else `extension` |
| Attachment.url | `attachment` |

https://hl7.org/fhir/R4/references.html, https://hl7.org/fhir/R4/searchparameter-registry.html
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fhir_mappings.codes import COMPOSITION_LINK, DIAGNOSTIC_REPORT_LINKS

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/([A-Za-z0-9\-.]{1,64}))?")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PARAMETERS = {"managingOrganization": "organization", "who": "agent", "for": "subject"}
_EXTENSION_PARAMETERS = {COMPOSITION_LINK: "composition"} | dict.fromkeys(DIAGNOSTIC_REPORT_LINKS, "diagnostic-report")
_LINKING_KEYS = frozenset(("reference", "url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid"))
_NARRATIVE_LINK = re.compile(r"(?P<start>(?:href|src)\s*=\s*(?P<quote>[\"']))(?P<link>[^\"']*)(?P=quote)")


@dataclass(frozen=True)
class LocalTarget:
    """A relative reference taken apart; `version` is '' for the current one."""

    type: str
    id: str
    version: str = ""


@dataclass(frozen=True)
class Found:
    """One literal reference: where it stands (FHIRPath), what it says, and its search parameter."""

    at: str
    literal: str
    parameter: str


def local_target(literal: str) -> LocalTarget | None:
    """`Type/id` or `Type/id/_history/version` taken apart; None for any other reference."""
    match = _RELATIVE.fullmatch(literal)
    return LocalTarget(match[1], match[2], match[4] or "") if match else None


def literal_references(resource: dict[str, Any]) -> Iterator[Found]:
    """Every Reference.reference and every relative Attachment.url, fragments (`#id`) left out."""
    for path, names, holder in _objects(resource, str(resource.get("resourceType", "")), ()):
        literal = holder.get("reference")
        if isinstance(literal, str) and not literal.startswith("#"):
            yield Found(f"{path}.reference", literal, _parameter(names))
        url = holder.get("url")
        if isinstance(url, str) and (local_target(url) or url.startswith("urn:uuid:")):
            yield Found(f"{path}.url", url, "attachment")


def search_targets(resource: dict[str, Any]) -> frozenset[tuple[str, str, str]]:
    """(parameter, type, id) of every relative reference, `patient` added where `subject` is a Patient."""
    found = set()
    for reference in literal_references(resource):
        if (target := local_target(reference.literal)) is None:
            continue
        found.add((reference.parameter, target.type, target.id))
        if reference.parameter == "subject" and target.type == "Patient":
            found.add(("patient", target.type, target.id))
    return frozenset(found)


def rewritten(resource: dict[str, Any], resolve: Callable[[str, str], str]) -> dict[str, Any]:
    """A copy in which `resolve(literal, at)` has replaced each literal reference and link.

    It is called for references, elements of type uri or url, and narrative links, as transaction processing demands
    (https://hl7.org/fhir/R4/http.html#trules); `Identifier.value` is left alone.
    """
    copy: dict[str, Any] = _rewritten(resource, str(resource.get("resourceType", "")), "", resolve)
    return copy


def _rewritten(value: Any, path: str, key: str, resolve: Callable[[str, str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _rewritten(member, f"{path}.{name}", name, resolve) for name, member in value.items()}
    if isinstance(value, list):
        return [_rewritten(item, f"{path}[{index}]", key, resolve) for index, item in enumerate(value)]
    if isinstance(value, str) and key in _LINKING_KEYS:
        return resolve(value, path)
    if isinstance(value, str) and key == "div" and "urn:uuid:" in value:
        return _NARRATIVE_LINK.sub(lambda link: f"{link['start']}{resolve(link['link'], path)}{link['quote']}", value)
    return value


def _objects(value: Any, path: str, names: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, names, value
        for name, member in value.items():
            inner = (*names, str(value.get("url"))) if name == "valueReference" else names
            yield from _objects(member, f"{path}.{name}", (*inner, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _objects(item, f"{path}[{index}]", names)


def _parameter(names: tuple[str, ...]) -> str:
    *outer, name = names or ("",)
    if name == "valueReference":
        return _EXTENSION_PARAMETERS.get(outer[-1], "extension")
    if name == "reference" and outer:  # Consent.provision.actor.reference, Consent.provision.data.reference
        name = outer[-1]
    return _PARAMETERS.get(name, _CAPITAL.sub("-", name).lower())
