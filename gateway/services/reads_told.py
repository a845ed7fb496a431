"""What a reviewer asked to read of a case, as stations of its story; equal ones that follow each other are one."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.consent import Outcome
from gateway.domain.moments import utc_in_words
from gateway.domain.record import Case
from gateway.domain.story import Station
from gateway.store import reads

_OUTCOMES = {reads.GRANTED: Outcome.PERMIT, reads.DENIED: Outcome.DENY}


def read_stations(connection: Connection, case: Case) -> Iterator[Station]:
    """Each with what was decided of its run, why by its last decision, how often it was asked, and when last."""
    for run in reads.runs(connection, case.id):
        told = run.details
        asked = f"{told['flow']} to {told['to']} for {' or '.join(told['purposes'])}: {' '.join(run.reasons)}"
        what = f"consent decided for {run.subject} to be read by {told['to']} (read)"
        detail = asked + _again(run.times, run.last_at)
        yield Station(run.at, what, _OUTCOMES[run.action], tuple(told["consents"]), detail)
    for undecided in reads.undecided_by_reasons(connection, case.id):
        what = "consent decided for what a reviewer asked to read (read)"
        detail = " ".join(undecided.reasons) + _again(undecided.times, undecided.last_at)
        yield Station(undecided.at, what, Outcome.INDETERMINATE, detail=detail)


def _again(times: int, last_at: datetime) -> str:
    return f"; {times} times, the last at {utc_in_words(last_at)}" if times > 1 else ""
