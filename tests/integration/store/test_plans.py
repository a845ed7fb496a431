"""Neither an outbox of which nearly all is done nor a long audit trail is read through, whatever SQLite was told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.case import CaseState
from gateway.domain.record import Case
from gateway.domain.work import QUEUES, JobKind
from gateway.services import second_look
from gateway.store import audit, audit_chain, audit_search, cases, doorbell, outbox, tables
from gateway.store.audit_search import Wanted
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.store.tables import outbox as jobs
from tests.statements import executed

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DONE = 2000


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/consilium.db")
    upgrade(database)
    row = {"kind": JobKind.DELIVERY_SEND, "state": "done", "next_try_at": NOW, "created_at": NOW}
    row |= {"attempts": 1, "failures": 0, "last_error": ""}
    with database.write("test") as connection:
        connection.execute(insert(jobs), [row | {"id": f"j{n}", "subject_id": f"s{n}"} for n in range(DONE)])
        outbox.enqueue(connection, JobKind.DELIVERY_SEND, "waits", case_id=None, now=NOW)
        for number in range(DONE):
            for action in ("egress.granted", "egress.granted", "egress.granted", second_look.MATCHED):
                case_id, patient_id = f"c{number % 100}", f"p{number % 100}" if number % 2 else None
                audit.record(connection, at=NOW, actor="test", action=action, case_id=case_id, patient_id=patient_id)
        connection.execute(text("ANALYZE"))
    database.dispose()  # a connection keeps the statistics that it began with
    return database


def _plan(database: Database, now: datetime) -> str:
    """Of everything that is asked for what is due."""
    with executed() as statements, database.read() as connection:
        room, ring_again_after = dict.fromkeys(QUEUES.values(), 8), timedelta(seconds=30)
        doorbell.due(connection, now, room=room, policy=DestinationPolicy(), ring_again_after=ring_again_after)
        doorbell.ringing(connection, now, ring_again_after=ring_again_after)
        asked = [one for one in statements if " outbox " in one.sql]
        assert asked
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one.sql}", one.parameters) for one in asked]
        return "\n".join(str(row[-1]) for plan in plans for row in plan)


@pytest.mark.parametrize("now", [NOW - timedelta(days=1), NOW], ids=["nothing is due", "something is"])
def test_what_is_due_is_found_by_index(database: Database, now: datetime) -> None:
    plan = _plan(database, now)
    assert "SCAN outbox" not in plan
    assert "SEARCH outbox USING INDEX ix_outbox_state_next_try_at" in plan


@pytest.mark.parametrize("case_id", [None, "c1"], ids=["of every case", "of one"])
def test_what_came_too_late_is_found_by_index(database: Database, case_id: str | None) -> None:
    with executed() as statements, database.read() as connection:
        second_look.late(connection, case_id)
        [asked] = [one for one in statements if "FROM audit" in one.sql]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)]
    assert not [step for step in plan if step == "SCAN audit"]
    assert [step for step in plan if "ix_audit_case_id_subject" in step]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(entities=("case/c1",), actors=("test",))], ids=["any", "some"])
def test_the_trail_is_not_walked_for_a_clinic_that_has_little_in_it(database: Database, wanted: Wanted) -> None:
    with executed() as statements, database.read() as connection:
        audit_search.visible(connection, "clinic", wanted, count=20, before=9000)
        near, whole = [one for one in statements if "UNION ALL" in one.sql]
        assert near.sql.count("BETWEEN") == 2
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {whole.sql}", whole.parameters)]
    read = [step for step in plan if step.startswith(("SCAN audit", "SEARCH audit"))]
    assert len(read) == 2
    assert "ix_audit_patient_id_id (patient_id=?" in read[0]
    assert "ix_audit_case_id" in read[1]


def test_the_sealer_does_not_walk_what_is_sealed(database: Database) -> None:
    with executed() as statements, database.write("test") as connection:
        assert audit_chain.seal(connection, now=NOW, limit=10) == 10
        [asked] = [one for one in statements if "audit.details" in one.sql]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)]
    assert "SCAN audit" not in plan
    assert "SEARCH audit USING INTEGER PRIMARY KEY (rowid=?)" in plan


def test_the_rows_of_a_patient_are_found_by_patient_and_by_case(database: Database) -> None:
    with executed() as statements, database.read() as connection:
        audit.of_patient(connection, "p1", limit=101)
        [asked] = [one for one in statements if "UNION ALL" in one.sql]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)]
    read = [step for step in plan if step.startswith(("SCAN audit", "SEARCH audit"))]
    assert len(read) == 2
    assert "ix_audit_patient_id_id (patient_id=?" in read[0]
    assert "ix_audit_case_id" in read[1]


def test_lists_that_a_version_before_recorded_as_one_row_are_found_by_index(database: Database) -> None:
    with database.write("test") as connection:
        clinic = {"id": "clinic", "kind": "clinic", "name": "clinic", "country": "TR", "time_zone": "Europe/Istanbul"}
        connection.execute(insert(tables.party).values(**clinic, created_at=NOW))
        whose = {"party_id": "clinic", "type": "Patient", "version": 1, "updated_at": NOW}
        connection.execute(insert(tables.resource).values(id="p1", **whose))
        cases.add(connection, Case("c1", "clinic", None, "p1", "CS-1", CaseState.OPEN, NOW))
    with executed() as statements, database.read() as connection:
        audit.of_patient(connection, "p1", limit=101)
        [asked] = [one for one in statements if "page.view" in one.sql]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)]
        assert [step for step in plan if "audit" in step] == ["SEARCH audit USING INDEX ix_audit_action (action=?)"]
    with executed() as statements, database.read() as connection:
        audit.of_patient(connection, "p1", actions=["egress.granted"], limit=101)
        assert not [one for one in statements if "page.view" in one.sql]
