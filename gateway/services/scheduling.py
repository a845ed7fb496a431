"""Work that is due by time alone is a row of the outbox like any other."""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.work import RECURRING, JobKind
from gateway.services.core import Core
from gateway.store import scheduled


def begin_recurring(core: Core) -> None:
    """See that each recurring kind of work has its one row; every worker does so at its start."""
    with core.database.write("schedule.begin") as connection:
        for kind in RECURRING:
            scheduled.begin(connection, kind, now=core.now())


def put_back(core: Core, kind: JobKind, *, is_more: bool) -> None:
    """The end of a recurring job: it comes again, at once when it left some of its work for the next time.

    The period counts from now, so that a machine that slept a day does it once.
    """
    with core.database.write("schedule.next") as connection:
        now = core.now()
        due_at = now if is_more else now + RECURRING[kind]
        scheduled.put_back(connection, kind, now=now, due_at=due_at)


def recheck_at(connection: Connection, case_id: str, moment: datetime, *, now: datetime) -> None:
    """Have the consents for the case looked at again at that moment, or before. The caller has locked the case row."""
    scheduled.bring_forward(connection, JobKind.CASE_RECHECK, case_id, now=now, due_at=moment)
