"""Sendings whose deadline went by while their destination was left alone: nobody tried them, so nobody gave them up."""

from datetime import timedelta

from gateway.domain.errors import Unreachable
from gateway.domain.work import Job, JobKind
from gateway.services import recurring
from gateway.services.core import Core
from gateway.services.work import run_job
from gateway.store import outbox

MOST_AT_ONCE = 100
"""Sendings in one run; what is left comes next, after whatever else waits for a worker."""


def ask_about_overdue(core: Core, job: Job) -> None:
    """Leave each of them for a person, unsent, as if the destination had just been asked in vain. Recurring."""
    with core.database.read() as connection:
        before = core.now() - timedelta(seconds=core.retry.deadline_s)
        overdue = outbox.left_alone(connection, before=before, now=core.now(), limit=MOST_AT_ONCE)
    for job_id in overdue:
        run_job(core, job_id, {JobKind.DELIVERY_SEND: _give_up}, is_sent=False)
    recurring.put_back(core, job.kind, is_more=len(overdue) == MOST_AT_ONCE)


def _give_up(_job: Job) -> None:
    raise Unreachable("the destination has not answered before the deadline")
