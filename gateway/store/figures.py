"""How much waits, where and since when: what /metrics shows of the database and /readyz judges.

What is done is the bulk of every table and is not read: the outbox is counted by its index on the state, its unsettled
rows only; unmatched studies by the index on clinic and state; the unsealed audit rows are a table of their own; the
number of instances is the newest one's. Deliveries, decisions and the quarantine are counted whole, in `census`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from gateway.domain.breaker import Breaker
from gateway.domain.study import StudyState
from gateway.domain.work import QUEUES, JobKind, JobState, WorkerPresence
from gateway.store import breakers, dead_letters, workers
from gateway.store.tables import (
    audit,
    audit_tail,
    decision,
    delivery,
    endpoint,
    instance,
    party,
    quarantine,
    study,
)
from gateway.store.tables import outbox as jobs

_GRACE = timedelta(minutes=1)
"""After it a worker that is there would have taken an orphan over."""


@dataclass(frozen=True)
class Unsettled:
    """Rows of the outbox of one kind and state for one destination (None for work of our own).

    `next_try_at` is the earliest of theirs, `since` when the oldest was enqueued, `attempts` the sum.
    """

    kind: JobKind
    state: str
    endpoint_id: str | None
    count: int
    next_try_at: datetime
    since: datetime
    attempts: int


@dataclass(frozen=True)
class Backlog:
    """Everything that waits for a worker, a destination or a person."""

    unsettled: tuple[Unsettled, ...]
    orphans: int
    stopped: dict[JobKind, int]
    breakers: dict[str, Breaker]
    unsealed: int
    unsealed_since: datetime | None
    workers: tuple[WorkerPresence, ...]

    def at_work(self) -> dict[str, int]:
        """Queue -> how many workers serve it now; those that are kept from it do not count."""
        serving = Counter(queue for one in self.workers if not one.waits_for for queue in one.queues)
        return {queue: serving[queue] for queue in sorted(set(QUEUES.values()))}

    def unserved(self) -> list[str]:
        """Queues of which no worker is there, not even one that waits."""
        return sorted(set(QUEUES.values()).difference(*(one.queues for one in self.workers)))

    def overdue_since(self, now: datetime) -> dict[JobKind, datetime]:
        """Kind -> since when its oldest row has been due, where one is; destinations that fail are left out."""
        due: dict[JobKind, datetime] = {}
        for rows in self.unsettled:
            is_held_back = rows.endpoint_id in self.breakers
            if rows.state == JobState.PENDING and rows.next_try_at <= now and not is_held_back:
                due[rows.kind] = min(due.get(rows.kind, now), rows.next_try_at)
        return due


@dataclass(frozen=True)
class Census:
    """What there is in all. `instances` is the number of the newest one; PostgreSQL leaves some numbers out."""

    deliveries: dict[tuple[str, str], int]
    decisions: dict[tuple[str, str], int]
    quarantine: dict[str, int]
    unmatched_studies: int
    instances: int


def backlog(connection: Connection, now: datetime) -> Backlog:
    """As it is at this moment. `orphans` are jobs whose lease ran out a minute ago and which nobody has taken over."""
    orphans = select(func.count()).where(jobs.c.state == JobState.CLAIMED, jobs.c.lease_until <= now - _GRACE)
    unsealed = select(func.count(), func.min(audit_tail.c.audit_id))
    count, first = connection.execute(unsealed).one()
    return Backlog(
        unsettled=tuple(_unsettled(connection)),
        orphans=connection.execute(orphans).scalar_one(),
        stopped=dead_letters.by_kind(connection),
        breakers=breakers.failing(connection),
        unsealed=count,
        unsealed_since=connection.execute(select(audit.c.at).where(audit.c.id == first)).scalar(),
        workers=workers.present(connection, now),
    )


def _unsettled(connection: Connection) -> Iterator[Unsettled]:
    """One state after the other: asked for several at once, SQLite may prefer to read the whole table.

    A sending is as old as its delivery has been in its state; the job's own time begins anew at each wait for its turn.
    """
    sending = delivery.alias("sending")
    since = func.min(func.coalesce(sending.c.changed_at, jobs.c.created_at))
    sums = (func.count(), func.min(jobs.c.next_try_at), since, func.sum(jobs.c.attempts))
    with_sending = jobs.outerjoin(sending, sending.c.id == jobs.c.subject_id)
    for state in (JobState.PENDING, JobState.CLAIMED, JobState.DEAD):
        is_its = dead_letters.waits_for_person() if state == JobState.DEAD else jobs.c.state == state
        groups = select(jobs.c.kind, jobs.c.endpoint_id, *sums).select_from(with_sending).where(is_its)
        for kind, endpoint_id, *found in connection.execute(groups.group_by(jobs.c.kind, jobs.c.endpoint_id)):
            if kind in QUEUES:
                yield Unsettled(JobKind(kind), state, endpoint_id, *found)


def census(connection: Connection) -> Census:
    """Counts over whole tables; whoever asks often keeps the answer for a while."""
    by_state = select(delivery.c.kind, delivery.c.state, func.count()).group_by(delivery.c.kind, delivery.c.state)
    by_outcome = select(decision.c.flow, decision.c.outcome, func.count()).group_by(decision.c.flow, decision.c.outcome)
    is_open = quarantine.c.resolved_at.is_(None)
    open_entries = select(quarantine.c.kind, func.count()).where(is_open).group_by(quarantine.c.kind)
    is_unmatched = (study.c.clinic_id == party.c.id) & (study.c.state == StudyState.UNMATCHED)
    unmatched = select(func.count()).select_from(party.join(study, is_unmatched))
    return Census(
        deliveries={(row[0], row[1]): row[2] for row in connection.execute(by_state)},
        decisions={(row[0], row[1]): row[2] for row in connection.execute(by_outcome)},
        quarantine={row[0]: row[1] for row in connection.execute(open_entries)},
        unmatched_studies=connection.execute(unmatched).scalar_one(),
        instances=connection.execute(select(func.coalesce(func.max(instance.c.id), 0))).scalar_one(),
    )


def destinations(connection: Connection) -> dict[str, str]:
    """Endpoint id -> its name, as an administrator gave it."""
    return {row.id: row.name for row in connection.execute(select(endpoint.c.id, endpoint.c.name))}
