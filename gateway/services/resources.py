"""FHIR resources come in, singly or as a transaction. A single create or update is a transaction of one entry."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.bundle import Entry
from fhir_mappings.bundle_links import Links
from fhir_mappings.consent_end import checked_end
from fhir_mappings.identifiers import check_identifiers
from fhir_mappings.literal_references import rewritten
from fhir_mappings.validation import check_resource
from gateway.domain.caller import Caller
from gateway.domain.errors import Invalid
from gateway.domain.ids import new_id
from gateway.domain.resource import StoredResource
from gateway.services import resource_transaction
from gateway.services.resource_rules import WRITABLE, check_may_write, check_reports_are_whole
from gateway.services.resource_transaction import Effect, Request, Stored, placed, stamped, write
from gateway.services.withdrawals import may_be_withdrawal
from gateway.store import resources
from gateway.store.engine import Database

GATEWAY_CLIENT = "gateway"
"""Author of the resources that the gateway writes itself."""

Preparation = Callable[[str, dict[str, Any], Mapping[str, Mapping[str, Any]]], Effect]
"""What storing a resource needs from slower places than the database; gives the effect of storing it. It gets the
party's id, the resource, and what comes with it by `Type/id`; ids that are not known yet have stand-ins."""

_PROVISIONAL_ID = "provisional"


@dataclass(frozen=True)
class Intake:
    """Where requests are stored, by which clock, what each type sets in motion, and what it needs done before."""

    database: Database
    now: Callable[[], datetime]
    effects: Mapping[str, Effect]
    before_storing: Mapping[str, Preparation]


def store(intake: Intake, caller: Caller, entries: Sequence[Entry], *, own_base: str = "") -> list[Stored]:
    """Store all entries or none, and give what became of each, in their order.

    `own_base` is the FHIR base URL under which the caller sees this server.

    Raises:
        Invalid, Unprocessable: an entry breaks a rule of R4 or of this gateway; `at` is its FHIRPath.
        NotFound, Forbidden: a type or a resource that this caller cannot write.
        PreconditionFailed: If-Match names another version.
        Conflict: a business identifier is taken.
        Transient, Full: try again later; nothing was stored.
    """
    for entry in entries:
        check_may_write(caller.party.kind, entry.type)
    arriving = _checked(caller, entries, own_base)
    check_reports_are_whole(entries)
    effects = _effects(intake, caller, arriving)
    accepted = [entry for entry, _, _ in arriving]
    with intake.database.write("fhir.store") as connection:
        resources.lock_party(connection, caller.party.id)
        return resource_transaction.run(connection, Request(caller, accepted, own_base), effects, intake.now())


def store_internal(connection: Connection, party_id: str, resource: dict[str, Any], now: datetime) -> StoredResource:
    """Store a resource that the gateway writes itself, as a new version where the party has one of that `id`.

    Sets nothing in motion and leaves no audit row: both are the caller's.
    """
    kind, resource_id = str(resource["resourceType"]), str(resource.get("id") or new_id())
    is_known = resources.type_of(connection, party_id, resource_id) == kind
    version = resources.current(connection, party_id, kind, resource_id).version + 1 if is_known else 1
    content = stamped(resource, resource_id, version, now)
    new = StoredResource(resource_id, party_id, kind, version, GATEWAY_CLIENT, now, content)
    write(connection, new)
    return new


def _checked(caller: Caller, entries: Sequence[Entry], own_base: str) -> list[tuple[Entry, str, dict[str, Any]]]:
    """Validate before the database is held; gives `Type/id` and resource of each, stand-ins for what is not known."""
    own = [f"{entry.type}/{entry.id or f'{_PROVISIONAL_ID}-{number}'}" for number, entry in enumerate(entries)]
    assigned = {entry.full_url: reference for entry, reference in zip(entries, own, strict=True) if entry.full_url}
    links = Links(assigned, own_base, lambda kind, _identifier: f"{kind}/{_PROVISIONAL_ID}")
    linked = []
    for entry in entries:
        if entry.id and entry.resource.get("id") != entry.id:
            raise Invalid("the resource of an update has the id of the URL", at=entry.at(f"{entry.type}.id"))
        with placed(entry):
            linked.append(_checked_one(entry, links.resolver(entry.full_url), WRITABLE[caller.party.kind]))
    return [(entry, reference, resource) for reference, (entry, resource) in zip(own, linked, strict=True)]


def _checked_one(
    entry: Entry, resolve: Callable[[str, str], str], allowed: Collection[str]
) -> tuple[Entry, dict[str, Any]]:
    """The entry and its resource; one that may withdraw a consent with what is wrong with it beside that."""
    try:
        resource = rewritten(entry.resource, resolve)
        check_resource(resource, allowed)
        check_identifiers(resource)
    except Invalid as refusal:
        if not may_be_withdrawal(entry):
            raise
        return replace(entry, refusal=refusal), checked_end(entry.resource, resolve)
    return entry, resource


def _effects(
    intake: Intake, caller: Caller, arriving: Sequence[tuple[Entry, str, dict[str, Any]]]
) -> list[Effect | None]:
    """What storing each entry sets in motion, after what has to be done before."""
    beside = {reference: resource for _, reference, resource in arriving}
    effects = []
    for entry, _, resource in arriving:
        preparation = intake.before_storing.get(entry.type)
        with placed(entry):
            effects.append(
                preparation(caller.party.id, resource, beside) if preparation else intake.effects.get(entry.type)
            )
    return effects
