"""The outbox: the only door to the workers, and the owner of time, attempts, leases and order.

A row is written in the transaction that causes it. A worker claims it (attempt counted, lease begins), works, and
settles it. The broker only carries the row's id; losing a message loses nothing.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, exists, func, insert, or_, select, update

from gateway.domain import trace
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.delivery import DeliveryState
from gateway.domain.ids import new_id
from gateway.domain.work import Job, JobKind, JobState, StoppedJob
from gateway.store import breakers, news
from gateway.store.tables import case as cases
from gateway.store.tables import delivery, outbox

_STUCK = (DeliveryState.FAILED, DeliveryState.AMBIGUOUS)

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
    if due_at is None or due_at <= now:
        news.tell(connection)
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
    policy: DestinationPolicy,
) -> Job | None:
    """Take the row for `lease_s` seconds and count the attempt; None when it is not to be had.

    Rows of the same kind and subject take turns, and a destination takes no more at once than `policy` says. Claims do
    so too: by BEGIN IMMEDIATE on SQLite, by the locks of all these rows on PostgreSQL (skipping locked ones would
    overlook a row that is being claimed).
    """
    endpoint_id = connection.execute(_DESTINATION, {"of_job": job_id}).scalar()
    if endpoint_id is not None:
        breakers.lock(connection, endpoint_id)  # before any row, so that two claims never wait for each other
    rows = {row.id: row for row in connection.execute(_SAME_SUBJECT, {"of_job": job_id})}
    row = rows.pop(job_id, None)
    if row is None:
        return None
    is_due = row.state == JobState.PENDING and row.next_try_at <= now
    is_orphaned = row.state == JobState.CLAIMED and row.lease_until <= now
    if not (is_due or is_orphaned):
        return None
    may_go = not any(one.state == JobState.CLAIMED and one.lease_until > now for one in rows.values())
    if may_go and endpoint_id is not None:
        may_go = breakers.lets_through(connection, endpoint_id, now=now, policy=policy)
    if not may_go:
        connection.execute(update(outbox).where(outbox.c.id == job_id).values(rung_at=None))
        return None
    until = now + timedelta(seconds=lease_s)
    connection.execute(_CLAIM, {"of_job": job_id, "attempt": row.attempts + 1, "owner": owner, "until": until})
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
        endpoint_id=endpoint_id,
    )


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


def stopped(
    connection: Connection, *, case_id: str | None = None, subjects: Collection[str] = (), limit: int | None = None
) -> list[StoppedJob]:
    """Jobs that gave up, oldest first: all of them, or those of the case and those of any of the subjects.

    Left out are those whose subject has a later job of the same kind, and sendings: their deliveries say so themselves.
    """
    query = select(outbox).where(_has_stopped())
    if case_id is not None:
        query = query.where(or_(outbox.c.case_id == case_id, outbox.c.subject_id.in_(subjects)))
    elif subjects:
        query = query.where(outbox.c.subject_id.in_(subjects))
    rows = connection.execute(query.order_by(outbox.c.settled_at, outbox.c.id).limit(limit))
    return [_stopped(row) for row in rows]


def stopped_by_id(connection: Connection, job_id: str) -> StoppedJob | None:
    """The one of them that has this id."""
    row = connection.execute(select(outbox).where(_has_stopped(), outbox.c.id == job_id)).one_or_none()
    return None if row is None else _stopped(row)


def stopped_by_kind(connection: Connection) -> dict[JobKind, int]:
    """How many jobs gave up, counted as `stopped` lists them."""
    query = select(outbox.c.kind, func.count()).where(_has_stopped()).group_by(outbox.c.kind)
    return {JobKind(kind): count for kind, count in connection.execute(query)}


def revive(connection: Connection, job_id: str, *, now: datetime) -> None:
    """The job that gave up is due now, with all its attempts before it."""
    again: dict[str, object] = {"state": JobState.PENDING, "attempts": 0, "failures": 0}
    again |= {"created_at": now, "next_try_at": now, "settled_at": None, "rung_at": None}
    is_it = and_(outbox.c.id == job_id, outbox.c.state == JobState.DEAD)
    connection.execute(update(outbox).where(is_it).values(again))


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


def waits_for_person() -> ColumnElement[bool]:
    """It gave up, and nothing has come of it since: no later job, and for a sending its delivery has not moved on."""
    is_stuck = exists(select(delivery.c.id).where(delivery.c.id == outbox.c.subject_id, delivery.c.state.in_(_STUCK)))
    is_open = or_(outbox.c.kind != JobKind.DELIVERY_SEND, is_stuck)
    return and_(outbox.c.state == JobState.DEAD, ~_is_overtaken(), is_open)


def _has_stopped() -> ColumnElement[bool]:
    return and_(outbox.c.state == JobState.DEAD, outbox.c.kind != JobKind.DELIVERY_SEND, ~_is_overtaken())


def _is_overtaken() -> ColumnElement[bool]:
    later = outbox.alias("later")
    is_of_same = and_(later.c.subject_id == outbox.c.subject_id, later.c.kind == outbox.c.kind)
    is_later = or_(later.c.state.in_((JobState.PENDING, JobState.CLAIMED)), later.c.settled_at > outbox.c.settled_at)
    return exists(select(later.c.id).where(is_of_same, later.c.id != outbox.c.id, is_later))


def _stopped(row: Row[Any]) -> StoppedJob:
    kind, case_id = JobKind(row.kind), row.case_id or ""
    return StoppedJob(row.id, kind, row.subject_id, case_id, row.attempts, row.last_error, row.settled_at)


def _mine(job: Job) -> dict[str, object]:
    """Whose row `_IS_MINE` is about."""
    return {"of_job": job.id, "owner": job.owner}
