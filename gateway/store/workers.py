"""The workers that are there: each writes every few seconds that it is, what it serves, and what keeps it from it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from gateway.domain.work import JobKind, WorkerPresence
from gateway.store.tables import worker

SHOWN_EVERY_S = 10.0
_SILENT_AFTER = timedelta(seconds=40)
"""Three missed times, and what one of them may take where the database is slow."""
_FORGOTTEN_AFTER = timedelta(hours=1)


def show(connection: Connection, worker_id: str, presence: WorkerPresence, *, now: datetime) -> None:
    """The worker is there at this moment; those that have been silent for long are forgotten."""
    found = {"host": presence.host, "queues": " ".join(sorted(presence.queues)), "waits_for": presence.waits_for}
    found_now = {**found, "kinds": " ".join(JobKind), "seen_at": now}
    if connection.execute(update(worker).where(worker.c.id == worker_id).values(found_now)).rowcount == 0:
        connection.execute(insert(worker).values(found_now | {"id": worker_id}))
    connection.execute(delete(worker).where(worker.c.seen_at < now - _FORGOTTEN_AFTER))


def leave(connection: Connection, worker_id: str) -> None:
    """The worker has ended in order."""
    connection.execute(delete(worker).where(worker.c.id == worker_id))


def present(connection: Connection, now: datetime) -> tuple[WorkerPresence, ...]:
    """Whoever has been seen lately."""
    query = select(worker).where(worker.c.seen_at > now - _SILENT_AFTER).order_by(worker.c.host, worker.c.id)
    rows = connection.execute(query)
    return tuple(WorkerPresence(row.host, frozenset(row.queues.split()), row.waits_for) for row in rows)


def all_know(connection: Connection, kind: JobKind, now: datetime) -> bool:
    """False while a worker is there of a version that has no such work: its program would not understand the row."""
    kinds = connection.execute(select(worker.c.kinds).where(worker.c.seen_at > now - _SILENT_AFTER)).scalars()
    return all(kind in (known or "").split() for known in kinds)
