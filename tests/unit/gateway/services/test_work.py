"""One job ends done, comes back at a later time, or is dead with its reason; a worker's death is one attempt."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Row, select

from gateway.domain import hooks
from gateway.domain.errors import Ambiguous, Full, Invalid, NotYet, Permanent, Transient
from gateway.domain.work import Job, JobKind, RetryPolicy
from gateway.services.core import Core
from gateway.services.work import run_job
from gateway.store import outbox
from gateway.store.engine import Database
from gateway.store.tables import audit
from gateway.store.tables import outbox as rows
from tests.core import START, Clock, core_over

KIND = JobKind.STUDY_SETTLE
POLICY = RetryPolicy(base_s=4, cap_s=60, max_attempts=3, lease_s=30)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def core(database: Database, tmp_path: Path, clock: Clock) -> Core:
    return core_over(database, tmp_path, clock, retry=POLICY)


@pytest.fixture
def job_id(core: Core) -> str:
    with core.database.write("test") as connection:
        return outbox.enqueue(connection, KIND, "study", case_id=None, now=START)


def _failing(error: Exception) -> Callable[[Job], None]:
    def handler(_job: Job) -> None:
        raise error

    return handler


def _row(core: Core, job_id: str) -> Row[Any]:
    with core.database.read() as connection:
        return connection.execute(select(rows).where(rows.c.id == job_id)).one()


def test_work_that_succeeds_is_done_once(core: Core, job_id: str) -> None:
    seen: list[Job] = []
    assert run_job(core, job_id, {KIND: seen.append})
    assert not run_job(core, job_id, {KIND: seen.append})
    assert [(job.subject_id, job.attempt) for job in seen] == [("study", 1)]
    assert _row(core, job_id).state == "done"


@pytest.mark.parametrize("error", [Transient("away"), Ambiguous("no answer"), Full("no room"), RuntimeError("ours")])
def test_what_may_succeed_later_comes_back(core: Core, job_id: str, error: Exception) -> None:
    run_job(core, job_id, {KIND: _failing(error)})
    row = _row(core, job_id)
    assert (row.state, row.attempts) == ("pending", 1)
    assert START <= row.next_try_at < START + timedelta(seconds=POLICY.base_s)
    assert type(error).__name__ in row.last_error


@pytest.mark.parametrize(
    ("error", "reason", "outcome"),
    [
        (Transient("the EHR answered HTTP 503"), "Transient: the EHR answered HTTP 503", "postponed"),
        (Permanent("refused with 0x0122"), "Permanent: refused with 0x0122", "dead"),
        (ValueError("Yilmaz^Ayse"), "ValueError: unexpected ValueError", "postponed"),
    ],
)
def test_a_failure_is_logged_with_its_reason_and_what_becomes_of_it(
    core: Core, job_id: str, error: Exception, reason: str, outcome: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        run_job(core, job_id, {KIND: _failing(error)})
    [line] = [line for line in lines if line["event"] == "job.failed"]
    assert (line["reason"], line["outcome"]) == (reason, outcome)


def test_the_other_sides_wish_is_the_least_to_wait(core: Core, job_id: str) -> None:
    run_job(core, job_id, {KIND: _failing(Transient("busy", retry_after_s=120))})
    assert _row(core, job_id).next_try_at == START + timedelta(seconds=120)


@pytest.mark.parametrize(
    "error", [Permanent("refused"), Invalid("bad"), Ambiguous("nobody can look", is_for_person=True)]
)
def test_what_needs_a_person_is_dead_at_once_and_audited(core: Core, job_id: str, error: Exception) -> None:
    run_job(core, job_id, {KIND: _failing(error)})
    row = _row(core, job_id)
    assert (row.state, row.attempts) == ("dead", 1)
    with core.database.read() as connection:
        assert connection.execute(select(audit.c.action)).scalar_one() == "job.dead"


def test_hope_ends_after_the_last_attempt(core: Core, job_id: str, clock: Clock) -> None:
    for _ in range(POLICY.max_attempts):
        run_job(core, job_id, {KIND: _failing(RuntimeError("a fault of ours"))})
        clock.time += timedelta(hours=1)
    row = _row(core, job_id)
    assert (row.state, row.attempts) == ("dead", POLICY.max_attempts)


def test_what_is_away_is_waited_for_until_the_deadline_however_often(core: Core, job_id: str, clock: Clock) -> None:
    for _ in range(3 * POLICY.max_attempts):
        run_job(core, job_id, {KIND: _failing(Transient("away"))})
        clock.time += timedelta(hours=1)
    assert _row(core, job_id).state == "pending"
    clock.forward(seconds=POLICY.deadline_s)
    run_job(core, job_id, {KIND: _failing(Transient("away"))})
    assert _row(core, job_id).state == "dead"


def test_a_job_that_kills_every_worker_stops_being_handed_out(core: Core, job_id: str, clock: Clock) -> None:
    for _ in range(POLICY.max_unended):  # each worker claims it and dies before it can settle
        with core.database.write("test") as connection:
            claimed = outbox.claim(
                connection, job_id, owner="dead", now=clock.time, lease_s=POLICY.lease_s, policy=core.destinations
            )
            assert claimed is not None
        clock.time += timedelta(seconds=POLICY.lease_s + 1)
    handled: list[Job] = []
    run_job(core, job_id, {KIND: handled.append})
    assert handled == []
    assert _row(core, job_id).state == "dead"


def test_an_unexpected_error_leaves_its_kind_and_not_its_words(core: Core, job_id: str) -> None:
    run_job(core, job_id, {KIND: _failing(RuntimeError("Ayşe Öztürk"))})
    assert _row(core, job_id).last_error == "RuntimeError: unexpected RuntimeError"


def _long(core: Core, job_id: str, clock: Clock) -> Row[Any]:
    """A job that outlives its lease, unless that is renewed; gives its row."""
    quick = replace(core, retry=replace(POLICY, lease_s=0.3))
    is_renewed = threading.Event()

    def watch(name: str) -> None:
        if name == "job.heartbeat.after_commit" and _row(core, job_id).lease_until > clock.time:
            is_renewed.set()

    def work(_job: Job) -> None:
        clock.forward(seconds=100)
        hooks.observe(watch)
        assert is_renewed.wait(5)

    try:
        run_job(quick, job_id, {KIND: work})
    finally:
        hooks.forget(watch)
    return _row(core, job_id)


def test_a_long_job_keeps_its_lease(core: Core, job_id: str, clock: Clock) -> None:
    row = _long(core, job_id, clock)
    assert row.lease_until > clock.time
    assert row.state == "done"


def test_it_keeps_its_lease_also_where_no_thread_could_be_had_at_first(
    core: Core, job_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = threading.Thread.start, list[str]()

    def full_at_first(thread: threading.Thread) -> None:
        if thread.name.startswith("lease-") and not refused:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", full_at_first)
    row = _long(core, job_id, clock)
    assert refused == [f"lease-{job_id}"]
    assert row.lease_until > clock.time
    assert row.state == "done"


def test_waiting_for_its_turn_is_no_failed_attempt_however_long(core: Core, job_id: str, clock: Clock) -> None:
    for _ in range(3 * POLICY.max_attempts):
        run_job(core, job_id, {KIND: _failing(NotYet("an earlier one comes first"))})
        clock.time += timedelta(hours=1)
    assert _row(core, job_id).state == "pending"


def test_a_sending_that_waited_for_its_turn_has_its_whole_deadline_before_it(core: Core, clock: Clock) -> None:
    with core.database.write("test") as connection:
        job_id = outbox.enqueue(connection, JobKind.DELIVERY_SEND, "amendment", case_id=None, now=START)
    clock.forward(seconds=POLICY.deadline_s + 1)
    for error in (NotYet("an earlier one comes first"), Transient("away")):
        run_job(core, job_id, {JobKind.DELIVERY_SEND: _failing(error)})
        clock.forward(seconds=POLICY.cap_s)
    assert _row(core, job_id).state == "pending"
    clock.forward(seconds=POLICY.deadline_s + 1)
    run_job(core, job_id, {JobKind.DELIVERY_SEND: _failing(Transient("away"))})
    assert _row(core, job_id).state == "dead"


@pytest.mark.parametrize("error", [Transient("away"), Permanent("refused")])
def test_a_worker_that_lost_its_lease_decides_nothing(core: Core, job_id: str, clock: Clock, error: Exception) -> None:
    def overtaken(_job: Job) -> None:
        clock.time += timedelta(seconds=POLICY.lease_s + 1)
        with core.database.write("test") as connection:
            other = outbox.claim(
                connection, job_id, owner="other", now=clock.time, lease_s=POLICY.lease_s, policy=core.destinations
            )
        assert other is not None
        raise error

    run_job(core, job_id, {KIND: overtaken})
    row = _row(core, job_id)
    assert (row.state, row.lease_owner) == ("claimed", "other")
    with core.database.read() as connection:
        assert connection.execute(select(audit.c.action)).all() == []
