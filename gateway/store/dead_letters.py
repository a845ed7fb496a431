"""Dead letters: the jobs that gave up and wait for a person, and what is said of those that are tried again."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import GatewayError
from gateway.domain.work import JobKind, JobState, StoppedJob
from gateway.store.tables import delivery, outbox

_STUCK = (DeliveryState.FAILED, DeliveryState.AMBIGUOUS)


def listed(
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


def by_id(connection: Connection, job_id: str) -> StoppedJob | None:
    """The one of them that has this id."""
    row = connection.execute(select(outbox).where(_has_stopped(), outbox.c.id == job_id)).one_or_none()
    return None if row is None else _stopped(row)


def by_kind(connection: Connection) -> dict[JobKind, int]:
    """How many jobs gave up, counted as `listed` lists them."""
    query = select(outbox.c.kind, func.count()).where(_has_stopped()).group_by(outbox.c.kind)
    return {JobKind(kind): count for kind, count in connection.execute(query)}


def failing_by(connection: Connection, error: type[GatewayError]) -> list[str]:
    """Of the jobs that are tried again after such an error, what was said of it; the latest attempt at each."""
    is_open = outbox.c.state.in_((JobState.PENDING, JobState.CLAIMED))
    is_such = outbox.c.last_error.startswith(f"{error.__name__}: ")
    query = select(outbox.c.last_error).where(is_open, is_such).order_by(outbox.c.created_at, outbox.c.id)
    return [said.partition(": ")[2] for said in connection.execute(query).scalars()]


def waits_for_person() -> ColumnElement[bool]:
    """It gave up, and nothing has come of it since: no later job, and for a sending its delivery has not moved on."""
    is_stuck = exists(select(delivery.c.id).where(delivery.c.id == outbox.c.subject_id, delivery.c.state.in_(_STUCK)))
    is_open = or_(outbox.c.kind != JobKind.DELIVERY_SEND, is_stuck)
    return and_(outbox.c.state == JobState.DEAD, ~_is_overtaken(), is_open)


def _has_stopped() -> ColumnElement[bool]:
    is_known = outbox.c.kind.in_([kind for kind in JobKind if kind is not JobKind.DELIVERY_SEND])
    return and_(outbox.c.state == JobState.DEAD, is_known, ~_is_overtaken())


def _is_overtaken() -> ColumnElement[bool]:
    later = outbox.alias("later")
    is_of_same = and_(later.c.subject_id == outbox.c.subject_id, later.c.kind == outbox.c.kind)
    is_later = or_(later.c.state.in_((JobState.PENDING, JobState.CLAIMED)), later.c.settled_at > outbox.c.settled_at)
    return exists(select(later.c.id).where(is_of_same, later.c.id != outbox.c.id, is_later))


def _stopped(row: Row[Any]) -> StoppedJob:
    kind, case_id = JobKind(row.kind), row.case_id or ""
    return StoppedJob(row.id, kind, row.subject_id, case_id, row.attempts, row.last_error, row.settled_at)
