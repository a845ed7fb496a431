"""Recurring work: one row of the outbox a kind, however many workers begin it or put it back at once."""

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, select

from gateway.domain.work import GATEWAY, JobKind, JobState
from gateway.store import outbox
from gateway.store.tables import outbox as rows
from gateway.store.turns import take_turn

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


def bring_forward(connection: Connection, kind: JobKind, case_id: str, *, now: datetime, due_at: datetime) -> None:
    """The case's one waiting job of that kind is due at `due_at` at the latest. The caller has locked the case row."""
    early = {"of_kind": kind, "of_subject": case_id, "due_at": due_at}
    if connection.execute(_WAITING_BY, early).first() is None:
        outbox.enqueue(connection, kind, case_id, case_id=case_id, now=now, due_at=due_at)


def is_at_work(connection: Connection, case_id: str, subjects: list[str]) -> bool:
    """Whether a job of the case, or of one of the subjects, waits or is being done; a re-check by time is none."""
    is_its = (rows.c.case_id == case_id) | rows.c.subject_id.in_(subjects)
    is_open = and_(rows.c.state.in_((JobState.PENDING, JobState.CLAIMED)), rows.c.kind != JobKind.CASE_RECHECK)
    return connection.execute(select(rows.c.id).where(is_its, is_open).limit(1)).scalar() is not None


def _take_turn(connection: Connection, kind: JobKind) -> None:
    take_turn(connection, f"recurring {kind}")
