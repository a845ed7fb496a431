"""One job: claim it, keep its lease alive, do it, settle it. Every kind of worker calls this and nothing else."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy import Connection

from gateway.alarms import alarms
from gateway.domain import trace
from gateway.domain.errors import Ambiguous, Full, GatewayError, NotYet, Permanent, Transient
from gateway.domain.ids import new_id
from gateway.domain.work import Job, JobKind
from gateway.services.core import Core
from gateway.services.doubt import leaves_doubt, stuck
from gateway.store import audit, deliveries, outbox


class JobOutcome(StrEnum):
    """How one attempt ended; `lost` where another worker had taken the job over meanwhile."""

    DONE = "done"
    POSTPONED = "postponed"
    DEAD = "dead"
    LOST = "lost"


@dataclass(frozen=True)
class Settlement:
    """What is committed together with the end of an attempt; `tell` is called once that stands.

    Where another worker has taken the job over meanwhile, only what `is_true_anyway`: what that one does is its own.
    """

    write: Callable[[Connection], None]
    tell: Callable[[], None] = lambda: None
    is_true_anyway: bool = False

    def keep(self, connection: Connection, job: Job) -> None:
        """Write it in the transaction that is going to settle the job."""
        if self.is_true_anyway or outbox.is_held(connection, job):
            self.write(connection)


Handler = Callable[[Job], Settlement | None]
"""Does a job, and gives what is to be committed together with its end."""


class Failed(GatewayError):
    """How a handler says that it failed with `cause`, and gives what is to be committed together with that."""

    def __init__(self, cause: Exception, settlement: Settlement) -> None:
        super().__init__(sentence_of(cause))
        self.cause = cause
        self.settlement = settlement


Watcher = Callable[[JobKind, JobOutcome, float], None]
"""Is told how an attempt at a job of that kind ended, and after how many seconds."""

_log = structlog.get_logger()


def run_job(
    core: Core,
    job_id: str,
    handlers: Mapping[JobKind, Handler],
    watcher: Watcher = lambda _kind, _outcome, _seconds: None,
    *,
    is_sent: bool = True,
) -> bool:
    """Do one job if it is to be had; False when another worker has it or it is not due.

    A job ends done, or is tried again at a time that the database keeps, or is dead with its reason. A worker that
    dies in the middle leaves a claim whose lease runs out; the attempt was counted before the work began. All of it
    belongs to the trace that the job was enqueued in. A sending waits for its destination to have room, but where it
    is settled unsent (`is_sent` false).
    """
    with core.database.write("job.claim") as connection:
        job = outbox.claim(
            connection,
            job_id,
            owner=new_id(),
            now=core.now(),
            lease_s=core.retry.lease_s,
            policy=core.destinations if is_sent else None,
        )
    if job is None:
        return False
    began_at_s = time.perf_counter()
    ids: dict[str, str | int] = {"kind": job.kind, "job": job.id, "attempt": job.attempt}
    with trace.within(job.trace_id), trace.span("job", parent_id=job.span_id, **ids):
        outcome = _attempt(core, job, handlers)
        trace.note(outcome=outcome)
    watcher(job.kind, outcome, time.perf_counter() - began_at_s)
    return True


def _attempt(core: Core, job: Job, handlers: Mapping[JobKind, Handler]) -> JobOutcome:
    """Where its end cannot be committed the claim stays: whoever takes it over sees that it never said how it ended."""
    log = _log.bind(job=job.id, kind=str(job.kind), subject=job.subject_id, case=job.case_id, attempt=job.attempt)
    log = log.bind(endpoint=job.endpoint_id) if job.endpoint_id else log
    try:
        _require_hope(core, job)
        with _heartbeat(core, job):
            settlement = handlers[job.kind](job)
    except Exception as exc:  # a process edge: whatever went wrong, the job is settled and the worker lives on
        cause = exc.cause if isinstance(exc, Failed) else exc
        outcome = _failed(core, job, cause, exc.settlement if isinstance(exc, Failed) else None)
        if outcome is JobOutcome.LOST:
            log.warning("job.lost", error=type(cause).__name__)
        else:
            log = log.bind(reason=sentence_of(cause), outcome=str(outcome))
            log.warning("job.failed", error=type(cause).__name__, exc_info=not isinstance(cause, GatewayError))
        return outcome
    with core.database.write("job.settle") as connection:
        if settlement is not None:
            settlement.keep(connection, job)
        is_ours = outbox.settle(connection, job, now=core.now())
    if settlement is not None:
        settlement.tell()
    log.info("job.done" if is_ours else "job.lost")
    return JobOutcome.DONE if is_ours else JobOutcome.LOST


def _require_hope(core: Core, job: Job) -> None:
    """A job that kills its worker comes back with its attempt counted; it stops here instead of for ever."""
    if core.retry.is_poison(job):
        raise Permanent(f"gave up after {core.retry.max_unended} attempts that never ended")


def sentence_of(exc: Exception) -> str:
    """What is kept of an error. The words of one that is not ours may hold anything, so they are left out."""
    reason = str(exc) if isinstance(exc, GatewayError) else f"unexpected {type(exc).__name__}"
    return f"{type(exc).__name__}: {reason}"


def _failed(core: Core, job: Job, exc: Exception, settlement: Settlement | None) -> JobOutcome:
    """Try again while there is hope, else leave it dead for a person; lost when another worker has taken it over."""
    error = sentence_of(exc)
    with core.database.write("job.fail") as connection:
        now = core.now()
        if settlement is not None:
            settlement.keep(connection, job)
        if not _is_hopeless(core, job, exc):
            wish_s = exc.retry_after_s if isinstance(exc, Transient | Ambiguous) else None
            again_at = core.retry.next_try(now, job.attempt, random.random(), wish_s)  # noqa: S311  # jitter, no secret
            since = now if isinstance(exc, NotYet) else None
            is_ours = outbox.postpone(connection, job, next_try_at=again_at, error=error, since=since)
            return JobOutcome.POSTPONED if is_ours else JobOutcome.LOST
        is_ours = _stop(connection, job, exc, now=now)
    return JobOutcome.DEAD if is_ours else JobOutcome.LOST


def _stop(connection: Connection, job: Job, exc: Exception, *, now: datetime) -> bool:
    """Leave it dead, and its delivery for a person; False when another worker has taken it over."""
    error, is_sending = sentence_of(exc), job.kind is JobKind.DELIVERY_SEND
    is_in_doubt = is_sending and leaves_doubt(connection, job)
    if not outbox.stop(connection, job, now=now, error=error):
        return False
    if is_sending:
        deliveries.give_up(connection, job.subject_id, now=now, error=error, **stuck(is_in_doubt=is_in_doubt))
    audit.record(
        connection,
        at=now,
        actor="gateway",
        action="job.dead",
        case_id=job.case_id,
        subject=f"job/{job.id}",
        outcome="failure",
        details={"kind": str(job.kind), "attempts": job.attempt, "error": type(exc).__name__},
    )
    return True


def _is_hopeless(core: Core, job: Job, exc: Exception) -> bool:
    """What waits for its turn never is; what needs a person is at once; the rest (a fault of ours too) in time."""
    if isinstance(exc, NotYet):
        return False
    is_for_person = isinstance(exc, Ambiguous) and exc.is_for_person
    is_outside = isinstance(exc, Transient | Ambiguous | Full)
    is_refused = isinstance(exc, GatewayError) and not is_outside
    return is_for_person or is_refused or not core.retry.has_hope(job, core.now(), is_outside=is_outside)


@contextmanager
def _heartbeat(core: Core, job: Job) -> Iterator[None]:
    """Renew the lease at a third of its length until the work ends; a thread of its own begins with the first time."""
    period_s, ended, context = core.retry.lease_s / 3, threading.Event(), copy_context()

    def beat() -> None:
        while not ended.is_set() and _is_renewed(core, job):
            ended.wait(period_s)

    def begin() -> None:
        if ended.is_set():
            return
        try:
            thread.start()
        except RuntimeError as exc:  # this machine starts no more threads now
            _log.warning("job.heartbeat.missed", job=job.id, error=type(exc).__name__)
            alarms.after(period_s / 4, begin)

    thread = threading.Thread(target=context.run, args=[beat], name=f"lease-{job.id}", daemon=True)
    first = alarms.after(period_s, begin)
    try:
        yield
    finally:
        ended.set()
        first.call_off()
        if thread.is_alive():
            thread.join()


def _is_renewed(core: Core, job: Job) -> bool:
    """False once the lease is lost; where the database is not reached, the next beat may reach it."""
    try:
        with core.database.write("job.heartbeat") as connection:
            return outbox.extend(connection, job, now=core.now(), lease_s=core.retry.lease_s)
    except Exception as exc:  # noqa: BLE001  # the edge of a thread
        _log.warning("job.heartbeat.missed", job=job.id, error=type(exc).__name__)
        return True
