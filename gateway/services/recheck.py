"""Time alone changed what the consents say: one ended, or one began. Nobody took one back, so nothing is recalled."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from gateway.domain.consent import Outcome
from gateway.domain.delivery import DeliveryState
from gateway.domain.record import Case
from gateway.domain.work import Job
from gateway.services import egress, recall, revocation, scheduling
from gateway.services.consents import Recorded, ground_of
from gateway.services.core import Core
from gateway.store import cases, deliveries

_UNDECIDED = (DeliveryState.PENDING, DeliveryState.HELD)


def recheck(core: Core, job: Job) -> None:
    """Decide anew on each delivery of the case whose last decision time has overtaken. Idempotent.

    Raises NotYet when the consents could not be read.
    """
    with core.database.write("case.recheck") as connection:
        case, now = cases.lock(connection, job.subject_id), core.now()
        decided = _decided_anew(connection, case, now)
        _look_again_later(connection, case, now)
    for recorded in decided:
        egress.require_decided(recorded)


def _decided_anew(connection: Connection, case: Case, now: datetime) -> list[Recorded]:
    last, ground, decided = _last_decisions(connection, case), ground_of(connection, case), []
    for delivery in deliveries.listed(connection, case_id=case.id, states=_UNDECIDED):
        if delivery.id not in last or not _is_overtaken(last[delivery.id], now):
            continue
        recorded = revocation.redecide(connection, case, delivery, stage="recheck", now=now, ground=ground)
        if recorded.is_permit:
            used = ", ".join(f"{one.id}/{one.version}" for one in recorded.decision.consents)
            recall.withdraw(connection, delivery, now=now, actor="consent", consent=used)
        decided.append(recorded)
    return decided


def _look_again_later(connection: Connection, case: Case, now: datetime) -> None:
    """At the next moment of those that other decisions have named."""
    last = _last_decisions(connection, case)
    waiting = deliveries.listed(connection, case_id=case.id, states=_UNDECIDED)
    moments = [last[one.id].valid_until for one in waiting if one.id in last and last[one.id].valid_until]
    if later := [moment for moment in moments if moment > now]:
        scheduling.recheck_at(connection, case.id, min(later), now=now)


def _last_decisions(connection: Connection, case: Case) -> dict[str, Row[Any]]:
    return {row.delivery_id: row for row in deliveries.decisions(connection, case.id)}


def _is_overtaken(decision: Row[Any], now: datetime) -> bool:
    """True once time alone may have changed it, and for one that could not be made."""
    return decision.outcome == Outcome.INDETERMINATE or (
        decision.valid_until is not None and bool(decision.valid_until <= now)
    )
