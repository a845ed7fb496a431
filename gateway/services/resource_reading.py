"""A party reads its own resources, and every look at a patient's leaves an audit row before the answer goes out."""

from collections.abc import Sequence
from datetime import datetime

from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import check_is_known, check_may_exist
from gateway.services.resource_transaction import is_due, record
from gateway.services.tokens import Caller
from gateway.store import resource_search, resources
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


def search(database: Database, caller: Caller, criteria: Criteria, *, count: int, after: str, now: datetime) -> Page:
    """One page of what the caller's party has and the criteria match. Raises NotFound for a type not kept here."""
    check_is_known(criteria.type)
    with database.read() as connection:
        page = resource_search.search(connection, caller.party.id, criteria, count=count, after=after)
    _remember(database, caller, page.resources, "fhir.search", now)
    return page


def _remember(database: Database, caller: Caller, seen: Sequence[StoredResource], action: str, now: datetime) -> None:
    """In a transaction of its own, so that reading keeps no writer waiting."""
    if not any(is_due(one, action) for one in seen):
        return
    with database.write("fhir.read") as connection:
        for one in seen:
            record(connection, caller, one, action, now)
