"""A party reads its own resources, and every look leaves an audit row before the answer goes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.caller import Caller
from gateway.domain.resource import StoredResource
from gateway.services import indexing
from gateway.services.resource_rules import check_is_known, check_may_exist
from gateway.services.resource_transaction import record
from gateway.store import audit, resource_search, resources
from gateway.store.engine import Database
from gateway.store.resource_search import Criteria, Page


def read(
    database: Database,
    caller: Caller,
    resource_type: str,
    resource_id: str,
    *,
    now: datetime,
    version: int | None = None,
) -> tuple[StoredResource, bytes]:
    """The current version, or the one asked for, with its text. Raises NotFound, also for what others have."""
    check_is_known(resource_type)
    check_may_exist(resource_type, resource_id)
    party_id = caller.party.id
    with database.read() as connection:
        if version is None:
            found, text = resources.current_with_text(connection, party_id, resource_type, resource_id)
        else:
            found, text = resources.version_with_text(connection, party_id, resource_type, resource_id, version)
    _remember(database, caller, (found,), "fhir.read", now)
    return found, text


@dataclass(frozen=True)
class History:
    """Versions of one resource, newest first; `total` is how many there are, `next_before` 0 on the last page."""

    versions: tuple[StoredResource, ...]
    total: int
    next_before: int


def history(
    database: Database, caller: Caller, resource_type: str, resource_id: str, *, before: int, count: int, now: datetime
) -> History:
    """At most `count` versions with a number below `before`. Raises NotFound, also for what others have."""
    check_is_known(resource_type)
    check_may_exist(resource_type, resource_id)
    party_id = caller.party.id
    with database.read() as connection:
        newest = resources.current(connection, party_id, resource_type, resource_id)
        shown = resources.versions(connection, party_id, resource_type, resource_id, before=before, at_most=count)
    _remember(database, caller, shown, "fhir.read", now)
    is_more = bool(shown) and shown[-1].version > 1
    return History(tuple(shown), newest.version, shown[-1].version if is_more else 0)


def search(database: Database, caller: Caller, criteria: Criteria, *, count: int, after: str, now: datetime) -> Page:
    """One page of what the caller's party has and the criteria match.

    Raises NotFound for a type not kept here, and NotYet where too much of it waits to be indexed.
    """
    check_is_known(criteria.type)
    indexing.catch_up(database, caller.party.id, criteria.type)
    with database.read() as connection:
        page = resource_search.search(connection, caller.party.id, criteria, count=count, after=after)
    _remember_search(database, caller, criteria, page, now)
    return page


def _remember(database: Database, caller: Caller, seen: Sequence[StoredResource], action: str, now: datetime) -> None:
    """In a transaction of its own, so that reading keeps no writer waiting."""
    with database.write("fhir.read") as connection:
        for one in seen:
            record(connection, caller, one, action, now)


def _remember_search(database: Database, caller: Caller, criteria: Criteria, page: Page, now: datetime) -> None:
    """A row for each resource that was found, or one for a search that found none; by which parameters, not values."""
    details = {"by": sorted({clause.parameter.name for clause in criteria.clauses})}
    with database.write("fhir.read") as connection:
        for one in page.resources:
            record(connection, caller, one, "fhir.search", now, details)
        if not page.resources:
            said = {"party": caller.party.id, "address": caller.address, **details}
            actor, of_type = caller.client_id, criteria.type
            audit.record(connection, at=now, actor=actor, action="fhir.search", subject=of_type, details=said)
