"""Whether one attempt at a delivery may go on: asked before every instance and request, so in one statement."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, exists, select

from gateway.domain.delivery import EgressGrant
from gateway.domain.work import Job, JobState
from gateway.store.engine import Database
from gateway.store.held import HeldQuery
from gateway.store.tables import egress_grant, outbox


@dataclass(frozen=True)
class Standing:
    """As one snapshot of the database has it."""

    is_held: bool
    """The job is still this worker's."""
    is_granted: bool
    """The grant was committed, and neither a revocation nor a person has cancelled it."""


_IS_HELD = exists().where(
    and_(
        outbox.c.id == bindparam("job"),
        outbox.c.state == bindparam("claimed"),
        outbox.c.lease_owner == bindparam("owner"),
    )
)
_IS_GRANTED = exists().where(and_(egress_grant.c.id == bindparam("grant"), egress_grant.c.cancelled_at.is_(None)))
_STANDING = select(_IS_HELD.label("is_held"), _IS_GRANTED.label("is_granted"))


class Watch:
    """Over the attempt that this job makes, from its first look until it is closed.

    No look relies on an earlier one: each is a statement to the database, which knows every revocation and every lost
    lease that was committed before. What cannot be seen is not granted: a look that fails raises.
    """

    def __init__(self, database: Database, job: Job) -> None:
        self._query = HeldQuery(database, _STANDING)
        self._job = job

    def standing(self, grant: EgressGrant) -> Standing:
        """Of the attempt under this grant, now. Raises as `Database.read`."""
        return self.look(grant)()

    def look(self, grant: EgressGrant) -> Callable[[], Standing]:
        """The same, to be waited for: it is not older than this call. Used once, before the next look."""
        job = self._job
        wait = self._query.ask(job=job.id, claimed=str(JobState.CLAIMED), owner=job.owner, grant=grant.id)
        return lambda: Standing(*wait())

    def close(self) -> None:
        """Let go of what it looks by."""
        self._query.close()
