"""Time alone changed what the consents say: one ended, or one began. Nobody took one back, so nothing is recalled."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from gateway.domain.consent import Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Case
from gateway.domain.work import Job, JobKind
from gateway.services import egress, recalling, revocation
from gateway.services.consents import Recorded, ground_of
from gateway.services.core import Core
from gateway.store import cases, deliveries, timetable

_UNDECIDED = (DeliveryState.PENDING, DeliveryState.HELD)


def recheck(core: Core, job: Job) -> None:
    """Decide anew on each delivery of the case whose decisions time has overtaken. Idempotent.

    Raises NotYet when the consents could not be read.
    """
    with core.database.write("case.recheck") as connection:
        case, now = cases.lock(connection, job.subject_id), core.now()
        decided = _decided_anew(connection, case, now)
        _look_again_later(connection, case, now)
    for recorded in decided:
        egress.require_decided(recorded)


def _decided_anew(connection: Connection, case: Case, now: datetime) -> list[Recorded]:
    made, ground, decided = _decisions(connection, case), ground_of(connection, case), []
    for delivery in deliveries.listed(connection, case_id=case.id, states=_UNDECIDED):
        if not _is_overtaken(made[delivery.id], now):
            continue
        recorded = revocation.redecide(connection, case, delivery, stage="recheck", now=now, ground=ground)
        if recorded.is_permit:
            used = revocation.used_by(recorded.decision)
            recalling.withdraw(connection, delivery, now=now, actor="consent", consent=used)
        decided.append(recorded)
    return decided


def _look_again_later(connection: Connection, case: Case, now: datetime) -> None:
    """At the next moment of those that other decisions have named."""
    made = _decisions(connection, case)
    waiting = deliveries.listed(connection, case_id=case.id, states=_UNDECIDED)
    if later := [moment for one in waiting for moment in _moments(made[one.id]) if moment > now]:
        timetable.bring_forward(connection, JobKind.CASE_RECHECK, case.id, now=now, due_at=min(later))


def _decisions(connection: Connection, case: Case) -> defaultdict[str, list[Row[Any]]]:
    """Delivery id -> what was decided on it, by the clocks of those who did; they need not have taken turns so."""
    made: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in deliveries.decisions_in(connection, case.id, _UNDECIDED):
        made[row.delivery_id].append(row)
    return made


def _is_overtaken(made: Sequence[Row[Any]], now: datetime) -> bool:
    """True once a moment that any of them named has come since the latest, and where that could not be made."""
    if not made:
        return False
    latest = made[-1]
    has_come = any(latest.decided_at < moment <= now for moment in _moments(made))
    return has_come or bool(latest.outcome == Outcome.INDETERMINATE)


def _moments(made: Sequence[Row[Any]]) -> list[datetime]:
    return [one.valid_until for one in made if one.valid_until is not None]
