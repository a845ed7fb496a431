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
from gateway.domain.ids import new_id
from gateway.domain.work import Job, JobKind, StoppedJob
from gateway.store import breakers
from gateway.store.tables import outbox

PENDING, CLAIMED, DONE, DEAD = "pending", "claimed", "done", "dead"

# Built once: these run for every received object.
_MOVE = (
    update(outbox)
    .where(outbox.c.subject_id == bindparam("of_subject"))
    .where(outbox.c.kind == bindparam("of_kind"))
    .where(outbox.c.state == PENDING)
    .values(next_try_at=bindparam("next_try_at"), case_id=bindparam("case_id"), rung_at=None)
    .values(trace_id=func.coalesce(bindparam("trace"), outbox.c.trace_id))
    .returning(outbox.c.id)
)
_ADD = insert(outbox)
_DESTINATION = select(outbox.c.endpoint_id).where(outbox.c.id == bindparam("of_job"))
_wanted = outbox.alias("wanted")
_SAME_SUBJECT = (
    select(outbox)
    .join(_wanted, and_(_wanted.c.subject_id == outbox.c.subject_id, _wanted.c.kind == outbox.c.kind))
    .where(_wanted.c.id == bindparam("of_job"), outbox.c.state.in_((PENDING, CLAIMED)))
    .order_by(outbox.c.id)
    .with_for_update(of=outbox)
)
"""The unsettled rows of one row's kind and subject, itself among them, locked in one order everywhere."""


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
    due_at, trace_id = due_at or now, trace.current() or None
    moved = {"of_subject": subject_id, "of_kind": kind, "next_try_at": due_at, "case_id": case_id, "trace": trace_id}
    pending_id = connection.execute(_MOVE, moved).scalar()
    if pending_id is not None:
        return str(pending_id)
    row_id = new_id()
    row: dict[str, object] = {
        "id": row_id,
        "kind": kind,
        "subject_id": subject_id,
        "case_id": case_id,
        "endpoint_id": endpoint_id,
        "state": PENDING,
    }
    row |= {"next_try_at": due_at, "attempts": 0, "failures": 0, "last_error": "", "created_at": now}
    connection.execute(_ADD, row | {"trace_id": trace_id})
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
    if row is None or any(one.state == CLAIMED and one.lease_until > now for one in rows.values()):
        return None
    is_due = row.state == PENDING and row.next_try_at <= now
    is_orphaned = row.state == CLAIMED and row.lease_until <= now
    if not (is_due or is_orphaned):
        return None
    if endpoint_id is not None and not breakers.lets_through(connection, endpoint_id, now=now, policy=policy):
        connection.execute(update(outbox).where(outbox.c.id == job_id).values(rung_at=None))
        return None
    taken = {"state": CLAIMED, "attempts": row.attempts + 1, "lease_owner": owner}
    taken |= {"lease_until": now + timedelta(seconds=lease_s)}
    connection.execute(update(outbox).where(outbox.c.id == job_id).values(taken))
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
    )


def extend(connection: Connection, job: Job, *, now: datetime, lease_s: float) -> bool:
    """Renew the lease; False when another worker has taken the row meanwhile."""
    renewed = update(outbox).where(_is_mine(job)).values(lease_until=now + timedelta(seconds=lease_s))
    return connection.execute(renewed).rowcount == 1


def is_held(connection: Connection, job: Job) -> bool:
    """True while the claim is still this worker's."""
    return connection.execute(select(outbox.c.id).where(_is_mine(job))).scalar() is not None


def settle(connection: Connection, job: Job, *, now: datetime) -> bool:
    """The job is done; False when another worker has taken it meanwhile."""
    ended = {"state": DONE, "settled_at": now, "last_error": "", "lease_owner": None}
    return connection.execute(update(outbox).where(_is_mine(job)).values(ended)).rowcount == 1


def stop(connection: Connection, job: Job, *, now: datetime, error: str) -> bool:
    """The job gave up, with its reason; False when another worker has taken it meanwhile."""
    ended = {"state": DEAD, "settled_at": now, "last_error": error, "lease_owner": None}
    ended |= {"failures": outbox.c.failures + 1}
    return connection.execute(update(outbox).where(_is_mine(job)).values(ended)).rowcount == 1


def postpone(connection: Connection, job: Job, *, next_try_at: datetime, error: str) -> bool:
    """The job is tried again at `next_try_at`; False when another worker has taken it meanwhile."""
    again = {"state": PENDING, "next_try_at": next_try_at, "last_error": error, "lease_owner": None, "rung_at": None}
    again |= {"failures": outbox.c.failures + 1}
    return connection.execute(update(outbox).where(_is_mine(job)).values(again)).rowcount == 1


def has_unended(connection: Connection, job: Job, *, since: datetime | None) -> bool:
    """Whether an earlier attempt at this job's subject never said how it ended; `since` leaves out older rows."""
    current = case((outbox.c.id == job.id, 1), (outbox.c.state == DONE, 1), else_=0)
    is_it = and_(outbox.c.subject_id == job.subject_id, outbox.c.kind == job.kind)
    query = select(outbox.c.id).where(is_it, outbox.c.attempts - outbox.c.failures - current > 0)
    if since is not None:
        query = query.where(outbox.c.created_at >= since)
    return connection.execute(query.limit(1)).scalar() is not None


def unsettled(connection: Connection, subject_id: str) -> Row[Any] | None:
    """The job of this subject that comes next or is being done, or None."""
    query = select(outbox).where(and_(outbox.c.subject_id == subject_id, outbox.c.state.in_((PENDING, CLAIMED))))
    return connection.execute(query.order_by(outbox.c.next_try_at).limit(1)).one_or_none()


def stopped(
    connection: Connection, *, case_id: str | None = None, subjects: Collection[str] = (), limit: int | None = None
) -> list[StoppedJob]:
    """Jobs that gave up, oldest first: all of them, or those of the case and those of any of the subjects.

    Left out are those whose subject has a later job of the same kind, and sendings: their deliveries say so themselves.
    """
    query = select(outbox).where(_has_stopped())
    if case_id is not None or subjects:
        query = query.where(or_(outbox.c.case_id == case_id, outbox.c.subject_id.in_(subjects)))
    rows = connection.execute(query.order_by(outbox.c.settled_at, outbox.c.id).limit(limit))
    return [_stopped(row) for row in rows]


def stopped_by_kind(connection: Connection) -> dict[JobKind, int]:
    """How many jobs gave up, counted as `stopped` lists them."""
    query = select(outbox.c.kind, func.count()).where(_has_stopped()).group_by(outbox.c.kind)
    return {JobKind(kind): count for kind, count in connection.execute(query)}


def revive(connection: Connection, job_id: str, *, now: datetime) -> None:
    """The job that gave up is due now, with all its attempts before it."""
    again: dict[str, object] = {"state": PENDING, "attempts": 0, "failures": 0, "created_at": now, "next_try_at": now}
    again |= {"settled_at": None, "rung_at": None}
    is_it = and_(outbox.c.id == job_id, outbox.c.state == DEAD)
    connection.execute(update(outbox).where(is_it).values(again))


def _has_stopped() -> ColumnElement[bool]:
    return and_(outbox.c.state == DEAD, outbox.c.kind != JobKind.DELIVERY_SEND, ~_is_overtaken())


def _is_overtaken() -> ColumnElement[bool]:
    later = outbox.alias("later")
    is_of_same = and_(later.c.subject_id == outbox.c.subject_id, later.c.kind == outbox.c.kind)
    is_later = or_(later.c.state.in_((PENDING, CLAIMED)), later.c.settled_at > outbox.c.settled_at)
    return exists(select(later.c.id).where(is_of_same, later.c.id != outbox.c.id, is_later))


def _stopped(row: Row[Any]) -> StoppedJob:
    kind, case_id = JobKind(row.kind), row.case_id or ""
    return StoppedJob(row.id, kind, row.subject_id, case_id, row.attempts, row.last_error, row.settled_at)


def depth(connection: Connection) -> dict[str, int]:
    """Rows per state."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _is_mine(job: Job) -> ColumnElement[bool]:
    return and_(outbox.c.id == job.id, outbox.c.state == CLAIMED, outbox.c.lease_owner == job.owner)
