"""Recurring work: one row of the outbox a kind, however many workers begin it or put it back at once."""

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, select

from gateway.domain.work import GATEWAY, RECURRING, JobKind, JobState
from gateway.store import outbox
from gateway.store.tables import outbox as rows
from gateway.store.turns import take_turn

_BY_TIME = (JobKind.CASE_RECHECK, *RECURRING)
_WAITING_BY = (
    select(rows.c.id)
    .where(rows.c.kind == bindparam("of_kind"), rows.c.subject_id == bindparam("of_subject"))
    .where(rows.c.state == JobState.PENDING, rows.c.next_try_at <= bindparam("due_at"))
)


def begin(connection: Connection, kind: JobKind, *, now: datetime) -> None:
    """See that there is a row of the kind: due now where none waits or is being done."""
    _take_turn(connection, kind)
    is_there = and_(rows.c.kind == kind, rows.c.subject_id == GATEWAY)
    is_there = and_(is_there, rows.c.state.in_((JobState.PENDING, JobState.CLAIMED)))
    if connection.execute(select(rows.c.id).where(is_there).limit(1)).scalar() is None:
        outbox.enqueue(connection, kind, GATEWAY, case_id=None, now=now)


def put_back(connection: Connection, kind: JobKind, *, now: datetime, due_at: datetime) -> None:
    """It is due again at `due_at`; the rows of the times before, which are done, are forgotten."""
    _take_turn(connection, kind)
    is_done = and_(rows.c.kind == kind, rows.c.subject_id == GATEWAY, rows.c.state == JobState.DONE)
    connection.execute(delete(rows).where(is_done))
    outbox.enqueue(connection, kind, GATEWAY, case_id=None, now=now, due_at=due_at)


def apart(connection: Connection, kind: JobKind) -> set[str]:
    """The cases that have an unfinished row of that kind of their own, also one that gave up."""
    is_open = rows.c.state.in_((JobState.PENDING, JobState.CLAIMED, JobState.DEAD))
    query = select(rows.c.subject_id).where(is_open, rows.c.kind == kind, rows.c.subject_id != GATEWAY)
    return set(connection.execute(query).scalars())


def failing(connection: Connection, case_id: str) -> list[tuple[JobKind, str, datetime]]:
    """Of the case's own rows of recurring kinds that failed and are tried again: kind, last error, and since when."""
    is_failing = and_(rows.c.state.in_((JobState.PENDING, JobState.CLAIMED)), rows.c.last_error != "")
    query = select(rows.c.kind, rows.c.last_error, rows.c.created_at).where(rows.c.subject_id == case_id, is_failing)
    found = connection.execute(query.where(rows.c.kind.in_(RECURRING)).order_by(rows.c.kind))
    return [(JobKind(kind), error, since) for kind, error, since in found]


def bring_forward(connection: Connection, kind: JobKind, case_id: str, *, now: datetime, due_at: datetime) -> None:
    """The case's one waiting job of that kind is due at `due_at` at the latest. The caller has locked the case row."""
    early = {"of_kind": kind, "of_subject": case_id, "due_at": due_at}
    if connection.execute(_WAITING_BY, early).first() is None:
        outbox.enqueue(connection, kind, case_id, case_id=case_id, now=now, due_at=due_at)


def is_at_work(connection: Connection, case_id: str, subjects: list[str]) -> bool:
    """Whether a job of the case, or of one of the subjects, waits or is being done; what time alone brings is none."""
    is_its = (rows.c.case_id == case_id) | rows.c.subject_id.in_(subjects)
    is_open = and_(rows.c.state.in_((JobState.PENDING, JobState.CLAIMED)), rows.c.kind.not_in(_BY_TIME))
    return connection.execute(select(rows.c.id).where(is_its, is_open).limit(1)).scalar() is not None


def _take_turn(connection: Connection, kind: JobKind) -> None:
    take_turn(connection, f"recurring {kind}")
