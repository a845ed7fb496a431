"""Programs one version apart share a database: neither chokes on what the other knows more."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import QUEUES, RECURRING, JobKind, JobState, WorkerPresence
from gateway.services.recurring import begin_recurring
from gateway.store import dead_letters, doorbell, figures, outbox, workers
from gateway.store.engine import Database
from gateway.store.tables import outbox as rows
from gateway.store.tables import worker
from tests.integration.store.stage import Stage

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def job_id(database: Database) -> str:
    """Of a kind that only a newer program knows; it has been due for an hour."""
    with database.write("test") as connection:
        job_id = outbox.enqueue(connection, JobKind.RETENTION, "gateway", case_id=None, now=NOW - timedelta(hours=1))
        connection.execute(update(rows).values(kind="of-tomorrow"))
    return job_id


def test_an_unknown_kind_is_neither_rung_for_nor_claimed(database: Database, job_id: str) -> None:
    again = timedelta(minutes=1)
    with database.write("test") as connection:
        room = dict.fromkeys(QUEUES.values(), 10)
        policy = DestinationPolicy()
        assert doorbell.due(connection, NOW, room=room, policy=policy, ring_again_after=again) == []
        doorbell.rung(connection, [job_id], NOW)  # by the newer program's relay
        assert not doorbell.ringing(connection, NOW, ring_again_after=again)
        assert outbox.claim(connection, job_id, owner="o", now=NOW, lease_s=60, policy=policy) is None


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.CLAIMED, JobState.DEAD])
def test_an_unknown_kind_stays_out_of_the_figures(database: Database, job_id: str, state: JobState) -> None:
    with database.write("test") as connection:
        ended = {"lease_until": NOW + timedelta(hours=1), "settled_at": NOW}
        connection.execute(update(rows).values(ended | {"state": state}))
        found = figures.backlog(connection, NOW)
        assert (found.unsettled, found.stopped) == ((), {})
        assert dead_letters.listed(connection) == []
        assert dead_letters.by_id(connection, job_id) is None


def test_new_recurring_work_begins_once_the_last_worker_that_does_not_know_it_has_gone(stage: Stage) -> None:
    core = stage.core
    with core.database.write("test") as connection:
        for name in ("old", "new"):
            workers.show(connection, name, WorkerPresence("machine", frozenset(("keep",))), now=core.now())
        known = " ".join(kind for kind in JobKind if kind is not JobKind.AUDIT_EXPORT)
        connection.execute(update(worker).where(worker.c.id == "old").values(kinds=known))
    kinds = select(rows.c.kind).order_by(rows.c.kind)
    assert not begin_recurring(core)
    with core.database.write("test") as connection:
        assert set(connection.execute(kinds).scalars()) == set(RECURRING) - {JobKind.AUDIT_EXPORT}
        connection.execute(update(worker).where(worker.c.id == "old").values(kinds=None))  # as of before it was said
        assert not workers.all_know(connection, JobKind.AUDIT_EXPORT, core.now())
        workers.leave(connection, "old")
    assert begin_recurring(core)
    with core.database.read() as connection:
        assert set(connection.execute(kinds).scalars()) == set(RECURRING)
