"""Recurring work: each kind has one row of the outbox, which its handler puts back at its end."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from gateway.domain.work import GATEWAY, RECURRING, Job, JobKind
from gateway.services.core import Core
from gateway.services.work import sentence_of
from gateway.store import outbox, timetable, workers

_log = structlog.get_logger()


def begin_recurring(core: Core) -> bool:
    """See that each recurring kind of work has its one row; every worker does so at its start, until it is true.

    In a rolling upgrade a new kind begins once the last worker that does not know it has gone.
    """
    with core.database.write("schedule.begin") as connection:
        known = [kind for kind in RECURRING if workers.all_know(connection, kind, core.now())]
        for kind in known:
            timetable.begin(connection, kind, now=core.now())
    return len(known) == len(RECURRING)


def one_by_one(
    core: Core, job: Job, due: Callable[[], list[str]], do: Callable[[str], bool], *, most_at_once: int
) -> None:
    """Do a recurring job: `do` says of each case that is due whether there was anything to do, up to `most_at_once`.

    A case that fails holds back no other: it goes on in a job of its own, of the same kind, which is tried again, gives
    up and waits for a person as any job of a case does; until that has ended the recurring one leaves the case alone.
    """
    if job.subject_id != GATEWAY:
        do(job.subject_id)
        return
    with core.database.read() as connection:
        apart = timetable.apart(connection, job.kind)
    done = 0
    for case_id in due():
        if case_id not in apart:
            done += _is_done(core, job.kind, case_id, do)
        if done == most_at_once:
            break
    put_back(core, job.kind, is_more=done == most_at_once)


def _is_done(core: Core, kind: JobKind, case_id: str, do: Callable[[str], bool]) -> bool:
    """Raises Transient where the database cannot be written: then the whole round is tried again."""
    try:
        return do(case_id)
    except Exception as exc:  # noqa: BLE001  # the edge of one case, such as a damaged blob, or a row that we misread
        with core.database.write("schedule.apart") as connection:
            outbox.enqueue(connection, kind, case_id, case_id=case_id, now=core.now())
        _log.warning("case.set-apart", kind=str(kind), case=case_id, reason=sentence_of(exc))
        return False


def put_back(core: Core, kind: JobKind, *, is_more: bool, period: timedelta | None = None) -> None:
    """The end of a recurring job: it comes again, at once when it left some of its work for the next time.

    The period, that of its kind or the one given, counts from now, so that a machine that slept a day does it once.
    """
    with core.database.write("schedule.next") as connection:
        now = core.now()
        due_at = now if is_more else now + (period or RECURRING[kind])
        timetable.put_back(connection, kind, now=now, due_at=due_at)
