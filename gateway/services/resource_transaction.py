"""One database transaction that stores the entries of one request: planned, linked, written, set in motion."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from fhir_mappings.bundle import Entry, in_processing_order
from fhir_mappings.bundle_links import Links
from fhir_mappings.json_text import write_json
from fhir_mappings.literal_references import Found, literal_references, local_target, rewritten, search_targets
from gateway.domain.errors import Conflict, Invalid, NotFound, Unprocessable
from gateway.domain.ids import new_id
from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import (
    ABOUT_NOBODY,
    business_identifiers,
    case_of,
    check_is_same_patient,
    check_may_exist,
)
from gateway.services.tokens import Caller
from gateway.store import audit, resources

Effect = Callable[[Connection, StoredResource], None]
"""What storing a resource sets in motion, in the transaction that stores it."""

_EFFECT_RANK = {"Patient": 0, "ServiceRequest": 1}
"""The order of a transaction's entries means nothing (https://hl7.org/fhir/R4/http.html#trules): causes come first."""
_ACTIONS = {"created": "fhir.create", "updated": "fhir.update", "found": "fhir.read"}


class PreconditionFailed(Conflict):
    """The version that If-Match names is not the current one."""


@dataclass(frozen=True)
class Stored:
    """What became of one entry; `found` is a conditional create that met the resource it would have made."""

    resource: StoredResource
    text: bytes
    outcome: Literal["created", "updated", "found"]


@dataclass(frozen=True)
class Request:
    """Who wants what stored. `own_base` is the FHIR base URL under which the caller sees this server, or ''."""

    caller: Caller
    entries: Sequence[Entry]
    own_base: str


@dataclass(frozen=True)
class _Plan:
    """An entry with the id it will have; `before` is what an update replaces or a conditional create found."""

    entry: Entry
    id: str
    before: StoredResource | None

    @property
    def is_found(self) -> bool:
        return self.entry.method == "POST" and self.before is not None

    @property
    def reference(self) -> str:
        return f"{self.entry.type}/{self.id}"


def run(connection: Connection, request: Request, effects: Mapping[str, Effect], now: datetime) -> list[Stored]:
    """Store every entry, then run the effects, patients and orders first; what each became, in that order."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as precise as meta.lastUpdated
    plans = {id(entry): _planned(connection, request, entry) for entry in request.entries}
    links = _links(connection, request, list(plans.values()))
    coming = {plan.reference for plan in plans.values()}
    became = {}
    for entry in in_processing_order(request.entries):
        with placed(entry):
            became[id(entry)] = _stored(connection, request, plans[id(entry)], links, coming, now)
    ordered = [became[id(entry)] for entry in request.entries]
    pairs = list(zip(request.entries, ordered, strict=True))
    for entry, stored in sorted(pairs, key=lambda pair: _EFFECT_RANK.get(pair[1].resource.type, len(_EFFECT_RANK))):
        effect = effects.get(stored.resource.type)
        if effect is not None and stored.outcome != "found":
            with placed(entry):
                effect(connection, stored.resource)
        record(connection, request.caller, stored.resource, _ACTIONS[stored.outcome], now)
    return ordered


def write(connection: Connection, new: StoredResource) -> bytes:
    """Put one version with its identifiers and references into the store; gives its text."""
    text = write_json(new.content)
    if new.version == 1:
        resources.add(connection, new, text)
    else:
        resources.replace(connection, new, text)
    resources.set_identifiers(connection, new, business_identifiers(new.content))
    targets = {(parameter, target_id) for parameter, _, target_id in search_targets(new.content)}
    resources.set_references(connection, new.id, targets)
    return text


def stamped(resource: Mapping[str, Any], resource_id: str, version: int, now: datetime) -> dict[str, Any]:
    """The content with the server's id, meta.versionId and meta.lastUpdated; everything else as it came."""
    instant = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": instant}
    head = {"resourceType": resource["resourceType"], "id": resource_id, "meta": meta}
    return head | {name: value for name, value in resource.items() if name not in head}


def record(connection: Connection, caller: Caller, resource: StoredResource, action: str, now: datetime) -> None:
    """Leave an audit row, unless it is a read of something that is about no patient."""
    if action in ("fhir.read", "fhir.search") and resource.type in ABOUT_NOBODY:
        return
    subject = f"{resource.type}/{resource.id}/_history/{resource.version}"
    audit.record(
        connection,
        at=now,
        actor=caller.client_id,
        case_id=case_of(resource),
        action=action,
        subject=subject,
        details={"party": caller.party.id},
    )


@contextmanager
def placed(entry: Entry) -> Iterator[None]:
    """Errors of an entry name their place in the Bundle."""
    try:
        yield
    except Invalid as refusal:
        raise type(refusal)(str(refusal), at=entry.at(refusal.at)) from refusal


def _planned(connection: Connection, request: Request, entry: Entry) -> _Plan:
    party_id = request.caller.party.id
    if entry.method == "PUT":
        check_may_exist(entry.type, entry.id)
        before = resources.current(connection, party_id, entry.type, entry.id)
        if entry.if_match is not None and entry.if_match != before.version:
            raise PreconditionFailed(f"{entry.type}/{entry.id} is at version {before.version}; read it again")
        return _Plan(entry, entry.id, before)
    if entry.if_none_exist is not None:
        found = resources.id_by_identifier(connection, party_id, entry.type, entry.if_none_exist)
        if found is not None:
            return _Plan(entry, found, resources.current(connection, party_id, entry.type, found))
    return _Plan(entry, new_id(), None)


def _links(connection: Connection, request: Request, plans: Sequence[_Plan]) -> Links:
    """A conditional reference finds what this request brings as well as what is stored."""
    own: dict[tuple[str, Identifier], str] = {}
    for plan in plans:
        for identifier in business_identifiers(plan.entry.resource):
            if own.setdefault((plan.entry.type, identifier), plan.reference) != plan.reference:
                at = plan.entry.at(f"{plan.entry.type}.identifier")
                raise Unprocessable("another entry has the same identifier", at=at)

    def find(kind: str, identifier: Identifier) -> str | None:
        if (kind, identifier) in own:
            return own[kind, identifier]
        found = resources.id_by_identifier(connection, request.caller.party.id, kind, identifier)
        return None if found is None else f"{kind}/{found}"

    assigned = {plan.entry.full_url: plan.reference for plan in plans if plan.entry.full_url}
    return Links(assigned, request.own_base, find)


def _stored(
    connection: Connection, request: Request, plan: _Plan, links: Links, coming: set[str], now: datetime
) -> Stored:
    if plan.before is not None and plan.is_found:
        return Stored(plan.before, resources.content(connection, plan.before), "found")
    linked = rewritten(plan.entry.resource, links.resolver(plan.entry.full_url))
    _check_targets(connection, request.caller.party.id, linked, coming)
    if plan.before is not None:
        check_is_same_patient(plan.before.content, linked)
    version = plan.before.version + 1 if plan.before else 1
    content = stamped(linked, plan.id, version, now)
    caller = request.caller
    new = StoredResource(plan.id, caller.party.id, plan.entry.type, version, caller.client_id, now, content)
    return Stored(new, write(connection, new), "updated" if plan.before else "created")


def _check_targets(connection: Connection, party_id: str, resource: dict[str, Any], coming: set[str]) -> None:
    """Raises Unprocessable for a literal reference to something that the party does not have here."""
    for reference in literal_references(resource):
        if reference.literal.startswith("urn:"):
            raise Unprocessable("the reference leads to no entry of this request", at=reference.at)
        target = local_target(reference.literal)
        is_coming = target is not None and reference.literal in coming
        if target is not None and not is_coming and not _exists(connection, party_id, reference):
            raise Unprocessable(f"there is no {target.type} of this id", at=reference.at)


def _exists(connection: Connection, party_id: str, reference: Found) -> bool:
    target = local_target(reference.literal)
    if target is None or not target.version:
        return target is not None and resources.type_of(connection, party_id, target.id) == target.type
    try:
        resources.version(connection, party_id, target.type, target.id, int(target.version))
    except (NotFound, ValueError):
        return False
    return True
