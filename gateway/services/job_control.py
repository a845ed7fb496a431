"""What a person can do with background work that gave up."""

from gateway.domain.errors import NotFound
from gateway.domain.work import StoppedJob
from gateway.services.core import Core
from gateway.store import audit, dead_letters, outbox


def stopped_jobs(core: Core, *, limit: int) -> list[StoppedJob]:
    """Every job that waits for a person, oldest first; a sending that failed is among the deliveries instead."""
    with core.database.read() as connection:
        return dead_letters.listed(connection, limit=limit)


def retry(core: Core, job_id: str, *, actor: str) -> StoppedJob:
    """Do it again now, with all its attempts before it; gives the job as it had stopped.

    Raises NotFound for one that did not give up, or that a later one has replaced.
    """
    with core.database.write("job.retry") as connection:
        job = dead_letters.by_id(connection, job_id)
        if job is None:
            raise NotFound(f"no job {job_id} has given up; see: consilium job list")
        outbox.revive(connection, job.id, now=core.now())
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="job.retry",
            case_id=job.case_id or None,
            subject=f"job/{job.id}",
            details={"kind": str(job.kind), "of": job.subject_id, "attempts": job.attempts},
        )
    return job
