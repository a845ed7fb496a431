"""The figures are the same on both databases, and what is done is not read for those that are asked for often."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import JobKind
from gateway.services.intake import receive
from gateway.store import audit, figures, outbox
from gateway.store.engine import Database
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.statements import executed

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DONE = 2000


def _fill(database: Database) -> None:
    """Many jobs that are done, two that wait, one whose worker died, and one that gave up."""
    with database.write("test") as connection:
        for kind in (JobKind.STUDY_SETTLE, JobKind.REPORT_RENDER):
            outbox.enqueue(connection, kind, "waits", case_id=None, now=NOW)
        orphan = outbox.enqueue(connection, JobKind.STUDY_RELEASE, "orphan", case_id=None, now=NOW)
        dead = outbox.enqueue(connection, JobKind.STUDY_RELEASE, "dead", case_id=None, now=NOW)
        claims = [
            outbox.claim(connection, one, owner=one, now=NOW, lease_s=60, policy=DestinationPolicy())
            for one in (orphan, dead)
        ]
        assert claims[1] is not None
        outbox.stop(connection, claims[1], now=NOW, error="Permanent: refused")
        audit.record(connection, at=NOW, actor="test", action="test")
        rows = [{"id": f"done{number}", "at": NOW} for number in range(DONE)]
        columns = "id, kind, subject_id, state, next_try_at, attempts, last_error, created_at"
        values = ":id, 'study-settle', :id, 'done', :at, 1, '', :at"
        connection.execute(text(f"INSERT INTO outbox ({columns}) VALUES ({values})"), rows)


def test_what_waits(database: Database) -> None:
    _fill(database)
    later = NOW + timedelta(minutes=5)
    with database.read() as connection:
        found = figures.backlog(connection, later)
    waiting = {(rows.kind, rows.state): (rows.count, rows.next_try_at, rows.attempts) for rows in found.unsettled}
    assert waiting == {
        (JobKind.STUDY_SETTLE, "pending"): (1, NOW, 0),
        (JobKind.REPORT_RENDER, "pending"): (1, NOW, 0),
        (JobKind.STUDY_RELEASE, "claimed"): (1, NOW, 1),
        (JobKind.STUDY_RELEASE, "dead"): (1, NOW, 1),
    }
    assert found.overdue_since(later) == {JobKind.STUDY_SETTLE: NOW, JobKind.REPORT_RENDER: NOW}
    assert (found.orphans, found.stopped) == (1, {JobKind.STUDY_RELEASE: 1})
    assert (found.unsealed, found.unsealed_since) == (1, NOW)


def test_what_there_is(stage: Stage) -> None:
    for ds in ct_series(slices=3):
        receive(stage.core, stage.arrival(ds))
    stage.ahead += timedelta(minutes=2)
    stage.work()
    with stage.core.database.read() as connection:
        found = figures.census(connection)
    assert (found.unmatched_studies, found.instances) == (1, 3)
    assert not any((found.deliveries, found.decisions, found.quarantine))


def test_jobs_that_are_done_are_not_read_to_count_the_others(database: Database) -> None:
    _fill(database)
    with database.write("test") as connection:
        connection.execute(text("ANALYZE"))
    with executed() as statements, database.read() as connection:
        figures.backlog(connection, NOW)
    asked = [one for one in statements if "FROM outbox" in one.sql]
    assert len(asked) >= 3
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as connection:
        for one in asked:
            plan = connection.exec_driver_sql(f"{explain} {one.sql}", one.parameters).all()
            told = " ".join(str(column) for row in plan for column in row)
            assert "ix_outbox_state" in told, told
            assert "SCAN outbox" not in told, told
            assert "Seq Scan on outbox" not in told, told
