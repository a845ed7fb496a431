"""What the strict EHR holds: resources by type and id, in their present version, and the searches over them."""

import copy
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Resource = dict[str, Any]

# Search parameter -> the element it looks at (https://hl7.org/fhir/R4/searchparameter-registry.html).
SEARCH_PARAMETERS: dict[str, dict[str, str]] = {
    "Patient": {"_id": "id", "identifier": "identifier", "birthdate": "birthDate"},
    "ServiceRequest": {"_id": "id", "identifier": "identifier", "patient": "subject", "subject": "subject"},
    "DiagnosticReport": {
        "_id": "id",
        "identifier": "identifier",
        "patient": "subject",
        "subject": "subject",
        "based-on": "basedOn",
        "status": "status",
    },
}
_ELSEWHERE = {"_id": "id", "identifier": "identifier", "patient": "subject", "subject": "subject"}


class Refusal(Exception):
    """An HTTP error with an OperationOutcome; `code` is an issue-type of R4."""

    def __init__(self, status: int, code: str, *diagnostics: str) -> None:
        super().__init__(f"{status}: {'; '.join(diagnostics)}")
        self.status = status
        self.code = code
        self.diagnostics = diagnostics


def parameters_of(resource_type: str) -> Mapping[str, str]:
    """The search parameters of a type, with the element each looks at."""
    return SEARCH_PARAMETERS.get(resource_type, _ELSEWHERE)


@dataclass
class Records:
    """The resources of one server. Every method gives copies: what is stored changes through `put` only."""

    _held: dict[tuple[str, str], Resource] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, resource: Resource, resource_id: str | None = None) -> Resource:
        """Store as a new resource, or as the next version of the one with this id."""
        with self._lock:
            stored = copy.deepcopy(resource)
            stored["id"] = resource_id or uuid.uuid4().hex
            key = (stored["resourceType"], stored["id"])
            version = int(self._held[key]["meta"]["versionId"]) + 1 if key in self._held else 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            stored["meta"] = {**stored.get("meta", {}), "versionId": str(version), "lastUpdated": now}
            self._held[key] = stored
            return copy.deepcopy(stored)

    def get(self, resource_type: str, resource_id: str) -> Resource | None:
        with self._lock:
            return copy.deepcopy(self._held.get((resource_type, resource_id)))

    def all_of(self, resource_type: str) -> list[Resource]:
        """Every resource of the type, oldest first."""
        with self._lock:
            return [copy.deepcopy(each) for (kind, _), each in self._held.items() if kind == resource_type]

    def search(self, resource_type: str, criteria: Sequence[tuple[str, str]]) -> list[Resource]:
        """The matches of all criteria (comma: any of its values). An unknown parameter is refused, never ignored."""
        known = parameters_of(resource_type)
        for name, _ in criteria:
            if name not in known:
                raise Refusal(400, "not-supported", f"search parameter {name} of {resource_type} is not known here")
        return [
            each
            for each in self.all_of(resource_type)
            if all(_is_match(each.get(known[name]), known[name], text) for name, text in criteria)
        ]


def _is_match(value: Any, element: str, text: str) -> bool:
    values = value if isinstance(value, list) else [value] if value is not None else []
    return any(_is_hit(element, each, wanted) for each in values for wanted in text.split(","))


def _is_hit(element: str, value: Any, wanted: str) -> bool:
    if element == "identifier":
        return _is_token(value, wanted)
    if element in ("subject", "basedOn"):
        return _is_reference(value, wanted)
    return bool(value == wanted)


def _is_token(identifier: Resource, wanted: str) -> bool:
    """`system|value`, `|value` (no system), `value` (any system), `system|` (https://hl7.org/fhir/R4/search.html#token)."""
    if "|" not in wanted:
        return bool(identifier.get("value") == wanted)
    system, value = wanted.split("|", 1)
    return identifier.get("system", "") == system and value in ("", identifier.get("value"))


def _is_reference(reference: Resource, wanted: str) -> bool:
    literal = str(reference.get("reference", ""))
    return bool(literal) and (literal == wanted or literal.rsplit("/", 1)[-1] == wanted)
