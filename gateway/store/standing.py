"""Whether one attempt at a delivery may go on: asked before every instance and request, so in one statement."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, exists, select

from gateway.domain.delivery import EgressGrant
from gateway.domain.work import Job, JobState
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
        outbox.c.id == bindparam("job"), outbox.c.state == JobState.CLAIMED, outbox.c.lease_owner == bindparam("owner")
    )
)
_IS_GRANTED = exists().where(and_(egress_grant.c.id == bindparam("grant"), egress_grant.c.cancelled_at.is_(None)))
_STANDING = select(_IS_HELD.label("is_held"), _IS_GRANTED.label("is_granted"))


def standing(connection: Connection, job: Job, grant: EgressGrant) -> Standing:
    """Of the attempt that this job makes under this grant."""
    asked = {"job": job.id, "owner": job.owner, "grant": grant.id}
    row = connection.execute(_STANDING, asked).one()
    return Standing(bool(row.is_held), bool(row.is_granted))
