"""The outbox gives each row to one worker, counts before the work, and forgets nothing."""

import threading
from datetime import UTC, datetime, timedelta

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import Job, JobKind
from gateway.store import doorbell, outbox
from gateway.store.engine import Database
from tests.integration.store.overlap import overlapping

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KIND = JobKind.DELIVERY_SEND
ALWAYS = timedelta(0)
POLICY = DestinationPolicy()


def _enqueued(database: Database, subject: str = "d1", due_at: datetime = NOW) -> str:
    with database.write("test") as connection:
        return outbox.enqueue(connection, KIND, subject, case_id=None, now=NOW, due_at=due_at)


def _claimed(database: Database, job_id: str, owner: str, now: datetime = NOW) -> Job | None:
    with database.write("test") as connection:
        return outbox.claim(connection, job_id, owner=owner, now=now, lease_s=10, policy=POLICY)


def _due(database: Database, now: datetime, ring_again_after: timedelta = ALWAYS) -> list[str]:
    with database.read() as connection:
        room = {"deliver": 10}
        found = doorbell.due(connection, now, room=room, policy=POLICY, ring_again_after=ring_again_after)
    return [job_id for job_id, _ in found]


def test_a_row_is_due_at_its_time_and_not_before(database: Database) -> None:
    later = NOW + timedelta(seconds=5)
    job_id = _enqueued(database, due_at=later)
    assert _due(database, NOW) == []
    assert _claimed(database, job_id, "w") is None
    assert _due(database, later) == [job_id]


def test_a_pending_row_of_the_same_subject_is_moved_not_doubled(database: Database) -> None:
    first = _enqueued(database)
    second = _enqueued(database, due_at=NOW + timedelta(seconds=9))
    assert first == second
    assert _due(database, NOW) == []


def test_what_is_being_done_does_not_swallow_new_work(database: Database) -> None:
    first = _enqueued(database)
    assert _claimed(database, first, "w") is not None
    second = _enqueued(database)
    assert second != first


def test_one_of_many_workers_gets_the_row(database: Database) -> None:
    job_id = _enqueued(database)
    taken: list[Job | None] = []
    threads = [
        threading.Thread(target=lambda owner=owner: taken.append(_claimed(database, job_id, owner)))
        for owner in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [job for job in taken if job is not None]
    assert len(taken) == 8
    assert [job.attempt for job in won] == [1]


def test_a_lease_that_ran_out_gives_the_row_to_another_and_counts(database: Database) -> None:
    job_id = _enqueued(database)
    first = _claimed(database, job_id, "dead")
    after = NOW + timedelta(seconds=11)
    assert _claimed(database, job_id, "early", NOW + timedelta(seconds=9)) is None
    assert _due(database, after) == [job_id]
    second = _claimed(database, job_id, "alive", after)
    assert first is not None and second is not None
    assert second.attempt == 2
    with database.write("test") as connection:
        assert not outbox.extend(connection, first, now=after, lease_s=10)
        outbox.settle(connection, first, now=after)
        assert not outbox.is_held(connection, first)
        assert outbox.is_held(connection, second)


def test_a_row_that_was_rung_for_is_left_alone_until_the_message_counts_as_lost(database: Database) -> None:
    job_id = _enqueued(database)
    with database.write("test") as connection:
        doorbell.rung(connection, [job_id], NOW)
    wait = timedelta(seconds=30)
    assert _due(database, NOW + timedelta(seconds=29), wait) == []
    assert _due(database, NOW + timedelta(seconds=31), wait) == [job_id]


def test_an_orphan_is_rung_for_although_it_was_rung_for_before_its_claim(database: Database) -> None:
    job_id = _enqueued(database)
    with database.write("test") as connection:
        doorbell.rung(connection, [job_id], NOW)
    assert _claimed(database, job_id, "dead") is not None
    assert _due(database, NOW + timedelta(seconds=11), timedelta(seconds=30)) == [job_id]


def test_a_job_comes_back_at_the_time_the_database_keeps(database: Database) -> None:
    job_id = _enqueued(database)
    job = _claimed(database, job_id, "w")
    assert job is not None
    again = NOW + timedelta(seconds=20)
    with database.write("test") as connection:
        outbox.postpone(connection, job, next_try_at=again, error="Transient: away")
    assert _due(database, NOW + timedelta(seconds=19)) == []
    assert _due(database, again) == [job_id]
    with database.read() as connection:
        row = outbox.unsettled(connection, KIND, "d1")
    assert row is not None and row.last_error == "Transient: away"


def test_a_settled_row_is_never_due_again(database: Database) -> None:
    job_id = _enqueued(database)
    job = _claimed(database, job_id, "w")
    assert job is not None
    with database.write("test") as connection:
        outbox.settle(connection, job, now=NOW)
    assert _due(database, NOW + timedelta(days=1)) == []
    assert _claimed(database, job_id, "w", NOW + timedelta(days=1)) is None


def test_two_rows_of_one_subject_are_not_done_at_once(database: Database) -> None:
    first = _enqueued(database)
    job = _claimed(database, first, "w")
    assert job is not None
    second = _enqueued(database)
    with database.write("test") as connection:
        outbox.postpone(connection, job, next_try_at=NOW, error="")
    taken = overlapping(database, lambda: _claimed(database, first, "a"), lambda: _claimed(database, second, "b"))
    assert [job.id for job in taken if job is not None] == [first]


def test_a_row_whose_twin_is_being_done_is_not_rung_for(database: Database) -> None:
    first = _enqueued(database)
    assert _claimed(database, first, "w") is not None
    second = _enqueued(database)
    assert _due(database, NOW) == []
    assert set(_due(database, NOW + timedelta(seconds=11))) == {first, second}


def test_a_row_that_was_refused_for_its_twin_is_rung_for_again_at_once(database: Database) -> None:
    first = _enqueued(database)
    job = _claimed(database, first, "w")
    assert job is not None
    second, wait = _enqueued(database), timedelta(seconds=30)
    with database.write("test") as connection:
        doorbell.rung(connection, [second], NOW)
    assert _claimed(database, second, "b") is None
    with database.write("test") as connection:
        outbox.settle(connection, job, now=NOW)
    assert _due(database, NOW, wait) == [second]


def test_a_claim_waits_for_whoever_moves_the_row(database: Database) -> None:
    job_id = _enqueued(database)
    later = NOW + timedelta(seconds=9)
    _, claimed = overlapping(
        database, lambda: _enqueued(database, due_at=later), lambda: _claimed(database, job_id, "w")
    )
    assert claimed is None
    assert _due(database, later) == [job_id]
