"""A search reads by index what it looks for, on both databases, among many resources of the party and of others."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Table, insert, text

from fhir_mappings.json_text import write_json
from fhir_mappings.search_query import Reading
from gateway.domain.ids import new_id
from gateway.store import resource_index, resource_search
from gateway.store.engine import Database
from gateway.store.resource_search import Criteria
from gateway.store.tables import party, resource, resource_identifier, resource_version
from tests.statements import Statement, executed

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = 500
ZONE = "Europe/Istanbul"
READING = Reading(ZoneInfo(ZONE), "")


def person(number: int) -> dict[str, Any]:
    born = datetime(1930, 1, 1, tzinfo=UTC) + timedelta(days=60 * number)
    name = [{"family": f"Family{number:04}", "given": ["A"]}]
    return {"resourceType": "Patient", "name": name, "birthDate": f"{born:%Y-%m-%d}", "gender": "female"}


@pytest.fixture
def filled(database: Database) -> Database:
    """Two clinics with as many patients each; what they are found by was written as after an upgrade."""
    row = {"kind": "clinic", "country": "TR", "time_zone": ZONE, "created_at": NOW}
    rows: dict[Table, list[dict[str, Any]]] = {resource: [], resource_version: [], resource_identifier: []}
    for clinic in ("A", "B"):
        for number in range(PEOPLE):
            key, head = new_id(), {"party_id": clinic, "type": "Patient"}
            rows[resource].append({"id": key, "version": 1, "updated_at": NOW + timedelta(minutes=number), **head})
            version = {"resource_id": key, "version": 1, "content": write_json(person(number)), "client_id": "x"}
            rows[resource_version].append(version | {"sha256": "", "created_at": NOW})
            rows[resource_identifier].append({"resource_id": key, "system": "s", "value": str(number), **head})
    with database.write("test") as connection:
        connection.execute(insert(party), [row | {"id": one, "name": one} for one in ("A", "B")])
        for table, values in rows.items():
            connection.execute(insert(table), values)
        for clinic in ("A", "B"):
            while resource_index.catch_up(connection, clinic, "Patient", at_most=500):
                pass
    with database.write("test") as connection:
        connection.execute(text("ANALYZE"))
    return database


NOTHING = [("link", "Patient/nobody")]
QUERIES = [
    NOTHING,
    [("identifier", "s|77")],
    [("family", "family0123")],
    [("family:exact", "Family0123")],
    [("birthdate", "1930-03-02")],
    [("birthdate", "ge1950-03"), ("birthdate", "lt1950-06"), ("gender", "female")],
    [("gender", "female"), ("family", "family0123")],
    [("_lastUpdated", "2026-03-02T12:30")],
]


def test_what_is_looked_for_is_found_by_index(filled: Database) -> None:
    for query in QUERIES:
        criteria = Criteria("Patient", READING.clauses("Patient", query))
        with filled.read() as connection:
            with executed() as statements:
                page = resource_search.search(connection, "A", criteria, count=10)
                assert not resource_index.is_behind(connection, "A", "Patient")
            assert (query, page.total > 0) == (query, query != NOTHING)
            assert (query, _read_through(filled, connection, statements)) == (query, [])


def _read_through(database: Database, connection: Connection, statements: list[Statement]) -> list[str]:
    """Steps that read a table, or everything that a party has of a type."""
    if not database.is_sqlite:
        # So small a table is read through for speed: what still is has no index that could be used.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    plans = [connection.exec_driver_sql(f"{explain} {one.sql}", one.parameters) for one in statements]
    steps = [str(row[-1]) for plan in plans for row in plan]
    assert steps
    of_all = (
        "SCAN resource",
        "Seq Scan on resource",
        "updated_at (party_id=? AND type=?)",
        "type (party_id=? AND type=?)",
    )
    return [step for step in steps if any(one in step for one in of_all)]
