"""A party reads its own resources, and every look at a patient's leaves an audit row before the answer goes out."""

from datetime import datetime

from gateway.domain.resource import StoredResource
from gateway.services.resource_rules import check_is_known, check_may_exist
from gateway.services.resource_transaction import record
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
    with database.write("fhir.read") as connection:
        if version is None:
            found = resources.current(connection, party_id, resource_type, resource_id)
        else:
            found = resources.version(connection, party_id, resource_type, resource_id, version)
        record(connection, caller, found, "fhir.read", now)
        return found, resources.content(connection, found)


def search(database: Database, caller: Caller, criteria: Criteria, *, count: int, after: str, now: datetime) -> Page:
    """One page of what the caller's party has and the criteria match. Raises NotFound for a type not kept here."""
    check_is_known(criteria.type)
    with database.write("fhir.read") as connection:
        page = resource_search.search(connection, caller.party.id, criteria, count=count, after=after)
        for found in page.resources:
            record(connection, caller, found, "fhir.search", now)
        return page
