"""The search parameters of each resource type, and what a resource is found by under each of them.

The one table that search, its index, the CapabilityStatement and docs/fhir.md go by. Names, types and elements are those
of R4 (https://hl7.org/fhir/R4/searchparameter-registry.html); what is not listed is refused, not ignored.

| type of parameter | becomes | note |
| --- | --- | --- |
| token | system and code | of a code, boolean, Coding or CodeableConcept; a code alone has the system '' |
| reference | type and id, as system and code of a token | literal references to resources of this server |
| date | from and to (exclusive) | of a date, dateTime, instant or Period; a value without a zone is the clinic's |
| string | folded and written | without case and diacritics; of a HumanName every part |

`_id`, `_lastUpdated` and `identifier` have no path: the first two are columns, and a business identifier, which is unique,
has a table of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from fhir_mappings.literal_references import local_target
from fhir_mappings.search_dates import EARLIEST, LATEST, span_of
from gateway.domain.identity import fold_letters

LONGEST = 255
"""Characters of a code, a system or a text that are kept to search by; a longer code is not found by search."""

_PARTS_OF_A_NAME = ("family", "given", "prefix", "suffix", "text")


class Kind(StrEnum):
    """https://hl7.org/fhir/R4/valueset-search-param-type.html, those that there are here."""

    TOKEN = "token"  # noqa: S105 - no secret
    REFERENCE = "reference"
    DATE = "date"
    STRING = "string"


@dataclass(frozen=True)
class Parameter:
    """One search parameter; `paths` are elements below the resource, `target` the only type that is looked at."""

    name: str
    kind: Kind
    paths: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True)
class Found:
    """What one resource is found by: (parameter, ...) rows, each once."""

    tokens: frozenset[tuple[str, str, str]]
    texts: frozenset[tuple[str, str, str]]
    spans: frozenset[tuple[str, datetime, datetime]]


def _token(name: str, *paths: str) -> Parameter:
    return Parameter(name, Kind.TOKEN, paths)


def _reference(name: str, *paths: str, target: str = "") -> Parameter:
    return Parameter(name, Kind.REFERENCE, paths, target)


def _date(name: str, *paths: str) -> Parameter:
    return Parameter(name, Kind.DATE, paths)


def _string(name: str, *paths: str) -> Parameter:
    return Parameter(name, Kind.STRING, paths)


ID = _token("_id")
LAST_UPDATED = _date("_lastUpdated")
IDENTIFIER = _token("identifier")

_ALWAYS = (ID, LAST_UPDATED)
_STATUS = _token("status", "status")
_CATEGORY = _token("category", "category")
_CODE = _token("code", "code")
_ACTIVE = _token("active", "active")
_BASED_ON = _reference("based-on", "basedOn")


def _about(path: str) -> tuple[Parameter, Parameter]:
    """Whom it is about: `subject`, and `patient` where that is one."""
    return _reference("subject", path), _reference("patient", path, target="Patient")


_NAMED = (_string("name", "name"), _string("family", "name.family"), _string("given", "name.given"))

_PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "AuditEvent": (
        *(_reference("patient", "entity.what", target="Patient"), _reference("entity", "entity.what")),
        *(_token("altid", "agent.altId"), _token("action", "action"), _token("type", "type")),
        _date("date", "recorded"),
    ),
    "Binary": (),
    "Communication": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _CATEGORY, _BASED_ON),
        *(_reference("part-of", "partOf"), _reference("recipient", "recipient"), _reference("sender", "sender")),
        *(_date("sent", "sent"), _date("received", "received")),
    ),
    "Composition": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _CATEGORY, _token("type", "type"), _date("date", "date")),
        *(_reference("author", "author"), _token("section", "section.code")),
    ),
    "Consent": (
        *(IDENTIFIER, _reference("patient", "patient", target="Patient"), _STATUS, _CATEGORY),
        *(_token("scope", "scope"), _token("purpose", "provision.purpose"), _token("action", "provision.action")),
        *(_date("date", "dateTime"), _date("period", "provision.period"), _reference("consentor", "performer")),
        *(_reference("actor", "provision.actor.reference"), _reference("organization", "organization")),
        *(_reference("data", "provision.data.reference"), _reference("source-reference", "sourceReference")),
    ),
    "DiagnosticReport": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _CATEGORY, _CODE, _BASED_ON),
        *(_date("date", "effectiveDateTime", "effectivePeriod"), _date("issued", "issued")),
        _reference("performer", "performer"),
    ),
    "DocumentReference": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _CATEGORY, _token("type", "type"), _date("date", "date")),
        *(_date("period", "context.period"), _reference("related", "context.related")),
        *(_reference("author", "author"), _reference("custodian", "custodian")),
    ),
    "ImagingStudy": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _date("started", "started"), _reference("basedon", "basedOn")),
        *(_token("modality", "series.modality"), _token("series", "series.uid")),
    ),
    "Organization": (
        *(IDENTIFIER, _ACTIVE, _token("type", "type"), _string("name", "name", "alias")),
        _reference("partof", "partOf"),
    ),
    "Patient": (
        *(IDENTIFIER, _ACTIVE, *_NAMED, _date("birthdate", "birthDate"), _token("gender", "gender")),
        *(_reference("link", "link.other"), _reference("organization", "managingOrganization")),
        _reference("general-practitioner", "generalPractitioner"),
    ),
    "Practitioner": (IDENTIFIER, _ACTIVE, *_NAMED, _token("gender", "gender")),
    "PractitionerRole": (
        *(IDENTIFIER, _ACTIVE, _reference("practitioner", "practitioner")),
        *(_reference("organization", "organization"), _token("role", "code"), _token("specialty", "specialty")),
        _date("date", "period"),
    ),
    "Provenance": (
        *(_reference("target", "target"), _reference("patient", "target", target="Patient")),
        *(_date("recorded", "recorded"), _date("when", "occurredDateTime"), _reference("agent", "agent.who")),
        *(_token("agent-role", "agent.role"), _token("agent-type", "agent.type")),
        *(_reference("entity", "entity.what"), _token("signature-type", "signature.type")),
    ),
    "RelatedPerson": (
        *(IDENTIFIER, _reference("patient", "patient", target="Patient"), _ACTIVE, _string("name", "name")),
        *(_token("relationship", "relationship"), _date("birthdate", "birthDate"), _token("gender", "gender")),
    ),
    "ServiceRequest": (
        *(IDENTIFIER, *_about("subject"), _STATUS, _CATEGORY, _CODE, _BASED_ON, _token("intent", "intent")),
        *(_token("priority", "priority"), _date("authored", "authoredOn")),
        *(_reference("requester", "requester"), _reference("performer", "performer")),
    ),
    "Task": (
        *(IDENTIFIER, *_about("for"), _STATUS, _CODE, _BASED_ON, _token("intent", "intent")),
        *(_token("business-status", "businessStatus"), _token("priority", "priority"), _reference("focus", "focus")),
        *(_reference("owner", "owner"), _reference("requester", "requester"), _reference("part-of", "partOf")),
        *(_date("authored-on", "authoredOn"), _date("modified", "lastModified"), _date("period", "executionPeriod")),
    ),
}

SEARCH_PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    kind: {one.name: one for one in (*_ALWAYS, *parameters)} for kind, parameters in _PARAMETERS.items()
}
"""Resource type -> name -> parameter."""

SAYS_WHO = frozenset(("identifier", "name", "family", "given", "birthdate"))
"""What is asked under these may name a patient: it is repeated in no link."""


def found_by(resource: dict[str, Any], zone: tzinfo) -> Found:
    """What a stored resource is found by; `zone` is its clinic's."""
    tokens: set[tuple[str, str, str]] = set()
    texts: set[tuple[str, str, str]] = set()
    spans: set[tuple[str, datetime, datetime]] = set()
    for one in SEARCH_PARAMETERS[resource["resourceType"]].values():
        for value in _values(resource, one.paths):
            if one.kind is Kind.STRING:
                texts |= {(one.name, *text) for text in _texts(value)}
            elif one.kind is Kind.DATE:
                spans.add((one.name, *_span(value, zone)))
            else:
                read = _tokens(value) if one.kind is Kind.TOKEN else _targets(value, one.target)
                tokens |= {(one.name, *token) for token in read}
    return Found(frozenset(tokens), frozenset(texts), frozenset(spans))


def folded(text: str) -> str:
    """Text as it is compared: without case and diacritics, white space each as one blank."""
    return " ".join(fold_letters(text).split())[:LONGEST]


def _values(resource: Mapping[str, Any], paths: tuple[str, ...]) -> Iterator[Any]:
    for path in paths:
        values: list[Any] = [resource]
        for step in path.split("."):
            inner = [value.get(step) for value in values if isinstance(value, dict)]
            values = [item for value in inner for item in (value if isinstance(value, list) else [value])]
        yield from (value for value in values if value is not None)


def _tokens(value: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of a code, a boolean, a Coding or a CodeableConcept."""
    if isinstance(value, dict) and "coding" in value:
        for coding in value["coding"]:
            yield from _tokens(coding)
        return
    if isinstance(value, dict):
        system, code = str(value.get("system", "")), str(value.get("code", ""))
    else:
        system, code = "", str(value).lower() if isinstance(value, bool) else str(value)
    if code and max(len(system), len(code)) <= LONGEST:
        yield system, code


def _targets(value: Any, only: str) -> Iterator[tuple[str, str]]:
    """(type, id) of a Reference, whatever version it names."""
    target = local_target(str(value.get("reference", ""))) if isinstance(value, dict) else None
    if target is not None and only in ("", target.type):
        yield target.type, target.id


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """(folded, written) of a text, or of every part of a HumanName."""
    parts = _values(value, _PARTS_OF_A_NAME) if isinstance(value, dict) else iter((value,))
    for part in parts:
        if compared := folded(str(part)):
            yield compared, str(part)[:LONGEST]


def _span(value: Any, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moment of a date or a Period, and the first one after it."""
    if not isinstance(value, dict):
        return span_of(str(value), zone)
    begin = span_of(value["start"], zone)[0] if "start" in value else EARLIEST
    end = span_of(value["end"], zone)[1] if "end" in value else LATEST
    return begin, end
