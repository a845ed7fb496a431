"""The outbox: the only door to the workers, and the owner of time, attempts, leases and order.

A row is written in the transaction that causes it. A worker claims it (attempt counted, lease begins), works, and
settles it. The broker only carries the row's id; losing a message loses nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, insert, or_, select, update

from gateway.domain import trace
from gateway.domain.breaker import CLOSED, DestinationPolicy
from gateway.domain.ids import new_id
from gateway.domain.work import QUEUES, Job, JobKind, JobState
from gateway.store import breakers, news
from gateway.store.tables import breaker, outbox
from gateway.store.tables import case as cases

# Built once: these run for every received object and for every job.
_MOVE = (
    update(outbox)
    .where(outbox.c.subject_id == bindparam("of_subject"))
    .where(outbox.c.kind == bindparam("of_kind"))
    .where(outbox.c.state == JobState.PENDING)
    .values(next_try_at=bindparam("next_try_at"), case_id=bindparam("case_id"), rung_at=None)
    .returning(outbox.c.id)
)
_MOVE_INTO_TRACE = _MOVE.values(trace_id=bindparam("trace"), span_id=bindparam("span"))
_ADD = insert(outbox)
_DESTINATION = select(outbox.c.endpoint_id).where(outbox.c.id == bindparam("of_job"))
_wanted = outbox.alias("wanted")
_SAME_SUBJECT = (
    select(outbox)
    .join(_wanted, and_(_wanted.c.subject_id == outbox.c.subject_id, _wanted.c.kind == outbox.c.kind))
    .where(_wanted.c.id == bindparam("of_job"), outbox.c.state.in_((JobState.PENDING, JobState.CLAIMED)))
    .order_by(outbox.c.id)
    .with_for_update(of=outbox)
)
"""The unsettled rows of one row's kind and subject, itself among them, locked in one order everywhere."""
_CLAIM = (
    update(outbox)
    .where(outbox.c.id == bindparam("of_job"))
    .values(state=JobState.CLAIMED, attempts=bindparam("attempt"), lease_owner=bindparam("owner"))
    .values(lease_until=bindparam("until"))
)
_IS_MINE = and_(
    outbox.c.id == bindparam("of_job"), outbox.c.state == JobState.CLAIMED, outbox.c.lease_owner == bindparam("owner")
)
_EXTEND = update(outbox).where(_IS_MINE).values(lease_until=bindparam("until"))
_HELD = select(outbox.c.id).where(_IS_MINE)
_SETTLE = (
    update(outbox)
    .where(_IS_MINE)
    .values(state=JobState.DONE, settled_at=bindparam("now"), last_error="", lease_owner=None)
)
_UNENDED = select(outbox.c.id).where(
    outbox.c.subject_id == bindparam("of_subject"),
    outbox.c.kind == bindparam("of_kind"),
    outbox.c.attempts - outbox.c.failures
    > case((or_(outbox.c.id == bindparam("of_job"), outbox.c.state == JobState.DONE), 1), else_=0),
)
_UNENDED_SINCE = _UNENDED.where(outbox.c.created_at >= bindparam("since"))


def enqueue(
    connection: Connection,
    kind: JobKind,
    subject_id: str,
    *,
    case_id: str | None,
    now: datetime,
    due_at: datetime | None = None,
    endpoint_id: str | None = None,
) -> str:
    """Put one job in, or move the pending one of the same kind and subject to `due_at`; gives the row's id.

    `endpoint_id` is the destination of what is sent; its breaker and its limit hold the job back. The job belongs to
    the current trace; without one, a job that is moved stays in its own.
    """
    _made_due(connection, due_at or now, now=now)
    due_at, trace_id, span_id = due_at or now, trace.current() or None, trace.current_span_id() or None
    moved = {"of_subject": subject_id, "of_kind": kind, "next_try_at": due_at, "case_id": case_id}
    if trace_id is None:
        pending_id = connection.execute(_MOVE, moved).scalar()
    else:
        pending_id = connection.execute(_MOVE_INTO_TRACE, moved | {"trace": trace_id, "span": span_id}).scalar()
    if pending_id is not None:
        return str(pending_id)
    row_id = new_id()
    row: dict[str, object] = {
        "id": row_id,
        "kind": kind,
        "subject_id": subject_id,
        "case_id": case_id,
        "endpoint_id": endpoint_id,
        "state": JobState.PENDING,
    }
    row |= {"next_try_at": due_at, "attempts": 0, "failures": 0, "last_error": "", "created_at": now}
    connection.execute(_ADD, row | {"trace_id": trace_id, "span_id": span_id})
    return row_id


def claim(
    connection: Connection,
    job_id: str,
    *,
    owner: str,
    now: datetime,
    lease_s: float,
    policy: DestinationPolicy | None,
) -> Job | None:
    """Take the row for `lease_s` seconds and count the attempt; None when it is not to be had.

    Rows of the same kind and subject take turns, and a destination takes no more at once than `policy` says; None for
    what is not going to be sent. Claims take turns too: by BEGIN IMMEDIATE on SQLite, by the locks of all these rows on
    PostgreSQL (skipping locked ones would overlook a row that is being claimed).
    """
    endpoint_id = connection.execute(_DESTINATION, {"of_job": job_id}).scalar()
    # Before any row, so that two claims never wait for each other.
    breaker_there = CLOSED if endpoint_id is None else breakers.lock(connection, endpoint_id)
    rows = {row.id: row for row in connection.execute(_SAME_SUBJECT, {"of_job": job_id})}
    row = rows.pop(job_id, None)
    if row is None or not _is_to_be_had(row, now):
        return None
    may_go = not any(one.state == JobState.CLAIMED and one.lease_until > now for one in rows.values())
    if may_go and endpoint_id is not None and policy is not None:
        may_go = breakers.lets_through(connection, endpoint_id, breaker_there, now=now, policy=policy)
    if not may_go:
        connection.execute(update(outbox).where(outbox.c.id == job_id).values(rung_at=None))
        return None
    is_taken_over = any(one.state == JobState.CLAIMED for one in (row, *rows.values()))
    job, until = _claimed(row, owner, is_taken_over=is_taken_over), now + timedelta(seconds=lease_s)
    connection.execute(_CLAIM, _mine(job) | {"attempt": job.attempt, "until": until})
    return job


def _is_to_be_had(row: Row[Any], now: datetime) -> bool:
    """Due, or left behind by a worker that is gone, and of a kind that is known here."""
    is_due: bool = row.state == JobState.PENDING and row.next_try_at <= now
    is_orphaned: bool = row.state == JobState.CLAIMED and row.lease_until <= now
    return row.kind in QUEUES and (is_due or is_orphaned)


def _claimed(row: Row[Any], owner: str, *, is_taken_over: bool) -> Job:
    """The next attempt at it."""
    return Job(
        id=row.id,
        kind=JobKind(row.kind),
        subject_id=row.subject_id,
        case_id=row.case_id,
        attempt=row.attempts + 1,
        failures=row.failures,
        since=row.created_at,
        owner=owner,
        trace_id=row.trace_id or "",
        span_id=row.span_id or "",
        endpoint_id=row.endpoint_id,
        is_taken_over=is_taken_over,
    )


def left_alone(connection: Connection, *, before: datetime, now: datetime, limit: int) -> list[str]:
    """Sendings since `before` or earlier, oldest first, that wait for a destination that is not asked at present."""
    is_due = and_(outbox.c.state == JobState.PENDING, outbox.c.next_try_at <= now)
    is_orphaned = and_(outbox.c.state == JobState.CLAIMED, outbox.c.lease_until <= now)
    is_failing = breaker.c.probe_at.is_not(None)
    query = select(outbox.c.id).join(breaker, and_(breaker.c.endpoint_id == outbox.c.endpoint_id, is_failing))
    query = query.where(or_(is_due, is_orphaned), outbox.c.created_at <= before)
    return list(connection.execute(query.order_by(outbox.c.created_at, outbox.c.id).limit(limit)).scalars())


def extend(connection: Connection, job: Job, *, now: datetime, lease_s: float) -> bool:
    """Renew the lease; False when another worker has taken the row meanwhile."""
    until = now + timedelta(seconds=lease_s)
    return connection.execute(_EXTEND, _mine(job) | {"until": until}).rowcount == 1


def is_held(connection: Connection, job: Job) -> bool:
    """True while the claim is still this worker's."""
    return connection.execute(_HELD, _mine(job)).scalar() is not None


def settle(connection: Connection, job: Job, *, now: datetime) -> bool:
    """The job is done; False when another worker has taken it meanwhile."""
    return connection.execute(_SETTLE, _mine(job) | {"now": now}).rowcount == 1


def stop(connection: Connection, job: Job, *, now: datetime, error: str) -> bool:
    """The job gave up, with its reason; False when another worker has taken it meanwhile."""
    ended = {"state": JobState.DEAD, "settled_at": now, "last_error": error, "lease_owner": None}
    ended |= {"failures": outbox.c.failures + 1}
    return connection.execute(update(outbox).where(_IS_MINE).values(ended), _mine(job)).rowcount == 1


def postpone(
    connection: Connection, job: Job, *, next_try_at: datetime, error: str, since: datetime | None = None
) -> bool:
    """The job is tried again at `next_try_at`; False when another worker has taken it meanwhile.

    `since` where its deadline begins anew: it was not tried yet.
    """
    again = {"state": JobState.PENDING, "next_try_at": next_try_at, "last_error": error, "lease_owner": None}
    again |= {"failures": outbox.c.failures + 1, "created_at": since or outbox.c.created_at, "rung_at": None}
    return connection.execute(update(outbox).where(_IS_MINE).values(again), _mine(job)).rowcount == 1


def has_unended(connection: Connection, job: Job, *, since: datetime | None) -> bool:
    """Whether an earlier attempt at this job's subject never said how it ended; `since` leaves out older rows."""
    wanted = {"of_job": job.id, "of_subject": job.subject_id, "of_kind": job.kind}
    if since is None:
        return connection.execute(_UNENDED, wanted).first() is not None
    return connection.execute(_UNENDED_SINCE, wanted | {"since": since}).first() is not None


def unsettled(connection: Connection, kind: JobKind, subject_id: str) -> Row[Any] | None:
    """The job of this kind and subject that comes next or is being done, or None."""
    is_of = and_(outbox.c.subject_id == subject_id, outbox.c.kind == kind)
    query = select(outbox).where(is_of, outbox.c.state.in_((JobState.PENDING, JobState.CLAIMED)))
    return connection.execute(query.order_by(outbox.c.next_try_at).limit(1)).one_or_none()


def revive(connection: Connection, job_id: str, *, now: datetime) -> None:
    """The job that gave up is due now, with all its attempts before it."""
    again: dict[str, object] = {"state": JobState.PENDING, "attempts": 0, "failures": 0}
    again |= {"created_at": now, "next_try_at": now, "settled_at": None, "rung_at": None}
    is_it = and_(outbox.c.id == job_id, outbox.c.state == JobState.DEAD)
    connection.execute(update(outbox).where(is_it).values(again))
    _made_due(connection, now, now=now)


def begin_anew(connection: Connection, kind: JobKind, subject_id: str, *, now: datetime) -> None:
    """A person wants it done: the deadline of the pending job counts from now."""
    is_it = and_(outbox.c.subject_id == subject_id, outbox.c.kind == kind, outbox.c.state == JobState.PENDING)
    connection.execute(update(outbox).where(is_it).values(created_at=now))


def let_go_on(connection: Connection, clinic_id: str, *, now: datetime) -> None:
    """The clinic's sendings were held back: they are due now, and their deadline counts from now."""
    of_clinic = outbox.c.case_id.in_(select(cases.c.id).where(cases.c.clinic_id == clinic_id))
    is_waiting = and_(outbox.c.kind == JobKind.DELIVERY_SEND, outbox.c.state == JobState.PENDING, of_clinic)
    anew: dict[str, object] = {"next_try_at": now, "created_at": now, "rung_at": None, "last_error": ""}
    connection.execute(update(outbox).where(is_waiting).values(anew))
    _made_due(connection, now, now=now)


def _made_due(connection: Connection, due_at: datetime, *, now: datetime) -> None:
    """Whatever gives jobs a time comes by here: there is word of those that are due at once."""
    if due_at <= now:
        news.tell(connection)


def _mine(job: Job) -> dict[str, object]:
    """Whose row `_IS_MINE` is about."""
    return {"of_job": job.id, "owner": job.owner}
