"""A job belongs to the trace that it was enqueued in, and so does what it leads to."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select

from gateway.domain import trace
from gateway.domain.work import Job, JobKind
from gateway.process import with_trace
from gateway.services.core import Core
from gateway.services.work import JobOutcome, run_job
from gateway.store import outbox
from gateway.store.engine import Database
from gateway.store.tables import outbox as rows
from tests.core import Clock, core_over

SETTLE, RELEASE = JobKind.STUDY_SETTLE, JobKind.STUDY_RELEASE
FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def core(database: Database, tmp_path: Path) -> Core:
    return core_over(database, tmp_path, Clock())


@pytest.fixture
def _lines_as_a_program_writes_them() -> Iterator[None]:
    structlog.configure(processors=[with_trace, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


def enqueue(core: Core, kind: JobKind = SETTLE, subject: str = "study") -> str:
    with core.database.write("test") as connection:
        return outbox.enqueue(connection, kind, subject, case_id=None, now=core.now())


def kept(core: Core, job_id: str) -> str | None:
    with core.database.read() as connection:
        found: str | None = connection.execute(select(rows.c.trace_id).where(rows.c.id == job_id)).scalar_one()
    return found


def test_a_job_and_what_it_enqueues_stay_in_the_trace(core: Core) -> None:
    seen: list[str] = []
    led_to: list[str] = []

    def settle(job: Job) -> None:
        seen.append(trace.current())
        led_to.append(enqueue(core, RELEASE))

    with trace.within(FIRST):
        job_id = enqueue(core)
    run_job(core, job_id, {SETTLE: settle})
    run_job(core, led_to[0], {RELEASE: lambda job: seen.append(job.trace_id)})
    assert seen == [FIRST, FIRST]
    assert trace.current() == ""


def test_a_job_that_is_moved_goes_over_to_the_trace_that_moved_it(core: Core) -> None:
    with trace.within(FIRST):
        job_id = enqueue(core)
    with trace.within(SECOND):
        assert enqueue(core) == job_id
    assert kept(core, job_id) == SECOND


def test_a_job_that_is_moved_from_outside_of_any_trace_stays_in_its_own(core: Core) -> None:
    with trace.within(FIRST):
        job_id = enqueue(core)
    assert enqueue(core) == job_id
    assert kept(core, job_id) == FIRST


def test_a_job_of_no_trace_begins_one(core: Core) -> None:
    seen: list[str] = []
    job_id = enqueue(core)
    assert kept(core, job_id) is None
    run_job(core, job_id, {SETTLE: lambda _job: seen.append(trace.current())})
    assert len(seen[0]) == 32


class _Recorded:
    """Says which span the current work is part of, and keeps below which one a span began."""

    def __init__(self) -> None:
        self.current, self.parents = "a" * 16, list[str]()

    def span(self, _name: str, parent_id: str, _ids: trace.Ids) -> AbstractContextManager[None]:
        self.parents.append(parent_id)
        return nullcontext()

    def note(self, ids: trace.Ids) -> None:
        assert "outcome" in ids

    def current_span_id(self) -> str:
        return self.current

    def flush(self) -> None:
        raise AssertionError("nobody asked for it")


def test_a_job_is_a_span_below_what_enqueued_or_moved_it(core: Core) -> None:
    recorded = _Recorded()
    trace.install(recorded)
    try:
        with trace.within(FIRST):
            job_id = enqueue(core)
            recorded.current = "b" * 16
            assert enqueue(core) == job_id
        recorded.current = "c" * 16
        assert enqueue(core) == job_id  # outside of any trace
        run_job(core, job_id, {SETTLE: lambda _job: None})
    finally:
        trace.uninstall(recorded)
    assert recorded.parents == ["b" * 16]


@pytest.mark.usefixtures("_lines_as_a_program_writes_them")
def test_every_line_of_a_job_names_its_trace(core: Core, capsys: pytest.CaptureFixture[str]) -> None:
    with trace.within(FIRST):
        job_id = enqueue(core)
    run_job(core, job_id, {SETTLE: lambda _job: structlog.get_logger().info("inside")})
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["trace"]) for line in written] == [("inside", FIRST), ("job.done", FIRST)]


def test_a_watcher_is_told_how_each_attempt_ended(core: Core) -> None:
    told: list[tuple[JobKind, JobOutcome]] = []

    def watch(kind: JobKind, outcome: JobOutcome, seconds: float) -> None:
        assert seconds >= 0
        told.append((kind, outcome))

    def fail(_job: Job) -> None:
        raise RuntimeError("ours")

    run_job(core, enqueue(core), {SETTLE: lambda _job: None}, watch)
    run_job(core, enqueue(core, RELEASE), {RELEASE: fail}, watch)
    run_job(core, "nothing", {}, watch)
    assert told == [(SETTLE, JobOutcome.DONE), (RELEASE, JobOutcome.POSTPONED)]
