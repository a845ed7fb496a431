"""One database transaction that stores the entries of one request: planned, linked, written, set in motion."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection

from fhir_mappings.bundle import Entry, in_processing_order
from fhir_mappings.bundle_links import Links
from fhir_mappings.consent_end import checked_end, patient_alone
from fhir_mappings.json_text import write_json
from fhir_mappings.literal_references import LocalTarget, literal_references, local_target, rewritten, search_targets
from gateway.domain.caller import Caller
from gateway.domain.errors import Conflict, Invalid, Unprocessable
from gateway.domain.ids import new_id
from gateway.domain.party import Identifier
from gateway.domain.resource import StoredResource
from gateway.services.merges import is_same_person
from gateway.services.resource_rules import (
    business_identifiers,
    case_of,
    check_is_not_revived_unseen,
    check_is_same_patient,
    check_may_exist,
)
from gateway.services.whose import patient_of_resource
from gateway.services.withdrawals import Linked, is_withdrawal, linked_withdrawal
from gateway.store import audit, resource_index, resources

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
    """An entry with the id it will have; `before` is what an update replaces or a conditional create `found`."""

    entry: Entry
    id: str
    before: StoredResource | None = None
    found: Stored | None = None

    @property
    def reference(self) -> str:
        return f"{self.entry.type}/{self.id}"

    @property
    def version(self) -> int:
        """The number of the version that there is when the request is stored."""
        if self.found is not None:
            return self.found.resource.version
        return self.before.version + 1 if self.before else 1

    @property
    def withdrawn(self) -> StoredResource | None:
        """The consent that it ends, if it does: nothing else that is wrong with it may stand in the way."""
        return self.before if self.before is not None and is_withdrawal(self.before, self.entry) else None


def run(connection: Connection, request: Request, effects: Sequence[Effect | None], now: datetime) -> list[Stored]:
    """Store every entry, then run its effect, patients and orders first; what each became, in the order of entries."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as precise as meta.lastUpdated
    plans = {id(entry): _planned(connection, request, entry) for entry in request.entries}
    linked = _linked(connection, request, list(plans.values()))
    became = {}
    for entry in in_processing_order(request.entries):
        with placed(entry):
            plan = plans[id(entry)]
            became[id(entry)] = plan.found or _stored(connection, request.caller, plan, linked[plan.reference], now)
    ordered = [became[id(entry)] for entry in request.entries]
    caused = list(zip(request.entries, ordered, effects, strict=True))
    for entry, stored, effect in sorted(caused, key=lambda one: _EFFECT_RANK.get(one[0].type, len(_EFFECT_RANK))):
        if effect is not None and stored.outcome != "found":
            with placed(entry):
                effect(connection, stored.resource)
        record(connection, request.caller, stored.resource, _ACTIONS[stored.outcome], now)
    return ordered


def write(connection: Connection, new: StoredResource, *, found_by: Mapping[str, Any] | None = None) -> bytes:
    """Put one version with its identifiers, references and what it is found by into the store; gives its text.

    `found_by` is the content that they are taken from, where that is another one.
    """
    text = write_json(new.content)
    if new.version == 1:
        resources.add(connection, new, text)
    else:
        resources.replace(connection, new, text)
    indexed = new if found_by is None else replace(new, content=dict(found_by))
    resources.set_identifiers(connection, new, business_identifiers(indexed.content))
    targets = {(parameter, target_id) for parameter, _, target_id in search_targets(indexed.content)}
    resources.set_references(connection, new.id, targets)
    resource_index.write(connection, indexed)
    return text


def stamped(resource: Mapping[str, Any], resource_id: str, version: int, now: datetime) -> dict[str, Any]:
    """The content with the server's id, meta.versionId and meta.lastUpdated; everything else as it came."""
    instant = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    given = resource.get("meta", {})
    meta = {**(given if isinstance(given, dict) else {}), "versionId": str(version), "lastUpdated": instant}
    head = {"resourceType": resource["resourceType"], "id": resource_id, "meta": meta}
    return head | {name: value for name, value in resource.items() if name not in head}


def record(
    connection: Connection,
    caller: Caller,
    resource: StoredResource,
    action: str,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Leave the audit row of what the caller did with one resource."""
    subject = f"{resource.type}/{resource.id}/_history/{resource.version}"
    audit.record(
        connection,
        at=now,
        actor=caller.client_id,
        case_id=case_of(resource),
        patient_id=patient_of_resource(connection, resource),
        action=action,
        subject=subject,
        details={"party": caller.party.id, "address": caller.address, **(details or {})},
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
        check_is_not_revived_unseen(before.content, entry)
        plan = _Plan(entry, entry.id, before)
        if entry.refusal is not None and plan.withdrawn is None:
            with placed(entry):
                raise entry.refusal
        return plan
    if entry.if_none_exist is not None:
        found = resources.id_by_identifier(connection, party_id, entry.type, entry.if_none_exist)
        if found is not None:
            resource, text = resources.current_with_text(connection, party_id, entry.type, found)
            return _Plan(entry, found, found=Stored(resource, text, "found"))
    return _Plan(entry, new_id())


def _links(connection: Connection, request: Request, plans: Sequence[_Plan]) -> Links:
    """A conditional reference finds what this request brings as well as what is stored."""
    own: dict[tuple[str, Identifier], str] = {}
    for plan in plans:
        for identifier in business_identifiers(plan.entry.resource) if plan.withdrawn is None else ():
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


def _linked(connection: Connection, request: Request, plans: Sequence[_Plan]) -> dict[str, Linked]:
    """`Type/id` -> what the entry says, its references resolved and each of them leading somewhere."""
    links = _links(connection, request, plans)
    resolved, linked = {}, {}
    for plan in plans:
        if plan.found is None:
            with placed(plan.entry):
                resolved[plan.reference] = _resolved(plan, links.resolver(plan.entry.full_url))
    newest = _newest_versions(connection, request.caller.party.id, plans, resolved.values())
    for plan in plans:
        if plan.found is None:
            with placed(plan.entry):
                linked[plan.reference] = _linked_one(connection, plan, resolved[plan.reference], newest)
    return linked


def _resolved(plan: _Plan, resolve: Callable[[str, str], str]) -> dict[str, Any]:
    if plan.withdrawn is None:
        return rewritten(plan.entry.resource, resolve)
    try:
        return rewritten(checked_end(plan.entry.resource, resolve), resolve)
    except Invalid:
        return checked_end(plan.entry.resource, resolve)


def _linked_one(
    connection: Connection, plan: _Plan, content: dict[str, Any], newest: Mapping[tuple[str, str], int]
) -> Linked:
    check = partial(_check_targets, content, newest)
    if plan.withdrawn is not None:
        return linked_withdrawal(connection, plan.withdrawn, plan.entry, content, check)
    check()
    return Linked(content, content)


def _newest_versions(
    connection: Connection, party_id: str, plans: Sequence[_Plan], linked: Iterable[dict[str, Any]]
) -> dict[tuple[str, str], int]:
    """The newest version of everything that is referred to, once this request is stored."""
    targets = [local_target(found.literal) for resource in linked for found in literal_references(resource)]
    newest = resources.newest_versions(connection, party_id, {target.id for target in targets if target})
    return newest | {(plan.entry.type, plan.id): plan.version for plan in plans}


def _check_targets(resource: dict[str, Any], newest: Mapping[tuple[str, str], int]) -> None:
    """Raises Unprocessable for a literal reference to something that the party does not have here."""
    for reference in literal_references(resource):
        if reference.literal.startswith("urn:"):
            raise Unprocessable("the reference leads to no entry of this request", at=reference.at)
        target = local_target(reference.literal)
        if target is not None and not _is_there(target, newest):
            raise Unprocessable(f"there is no {target.type} of this id", at=reference.at)


def _is_there(target: LocalTarget, newest: Mapping[tuple[str, str], int]) -> bool:
    version = newest.get((target.type, target.id), 0)
    if not target.version:
        return version > 0
    return target.version.isdecimal() and 1 <= int(target.version) <= version


def _stored(connection: Connection, caller: Caller, plan: _Plan, linked: Linked, now: datetime) -> Stored:
    if plan.before is not None:
        said = linked.content if plan.withdrawn is None else patient_alone(linked.content)
        check_is_same_patient(plan.before.content, said, partial(is_same_person, connection, caller.party.id))
    content = stamped(linked.content, plan.id, plan.version, now)
    new = StoredResource(plan.id, caller.party.id, plan.entry.type, plan.version, caller.client_id, now, content)
    found_by = stamped(linked.found_by, plan.id, plan.version, now)
    return Stored(new, write(connection, new, found_by=found_by), "updated" if plan.before else "created")
