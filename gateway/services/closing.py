"""A case is closed when its follow-up is over, by a person or by time, and may be opened again while it is kept."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from fhir_mappings.service_request import order_from_fhir
from gateway.domain.case import CLOSING_STATUS, CaseState
from gateway.domain.destruction import RetentionPolicy
from gateway.domain.errors import Conflict
from gateway.domain.record import Case
from gateway.domain.work import Job
from gateway.services import recurring
from gateway.services.core import Core
from gateway.services.second_look import look_again, look_again_at_unmatched, take_up_late
from gateway.services.unfinished import lock_whole, unanswered, undelivered
from gateway.store import audit, cases, destructions, resources, retention

MOST_AT_ONCE = 50
"""Cases in one run; what is left comes next, after whatever else waits for a worker."""

CLOSED, REOPENED = "case.close", "case.reopen"
_NAMED = 3


def close(core: Core, case_id: str, *, reason: str, actor: str) -> None:
    """Nothing more joins the case. Raises NotFound, and Conflict naming what is undelivered or waits for a person."""
    with core.database.write("case.close") as connection:
        case = lock_whole(connection, case_id)
        if case.state != CaseState.OPEN:
            raise Conflict(f"case {case_id} is {case.state} already")
        if open_ends := [*undelivered(connection, case), *unanswered(connection, case)]:
            more = f" and {len(open_ends) - _NAMED} more" if len(open_ends) > _NAMED else ""
            raise Conflict(f"case {case_id} is not finished: {'; '.join(open_ends[:_NAMED])}{more}")
        set_closed(connection, case, reason=reason, actor=actor, now=core.now())


def reopen(core: Core, case_id: str, *, actor: str) -> None:
    """Take up the case again: what waited for it is looked at anew.

    Raises NotFound, and Conflict when it is open, its order has ended, or it has begun to be destroyed.
    """
    with core.database.write("case.reopen") as connection:
        case, now = cases.lock(connection, case_id), core.now()
        if case.state == CaseState.OPEN:
            raise Conflict(f"case {case_id} is open")
        if destructions.has_begun(connection, case_id):
            raise Conflict(f"the content of case {case_id} was destroyed; the clinic sends a new order")
        order = order_from_fhir(resources.current(connection, case.clinic_id, "ServiceRequest", case.id).content)
        if order.status in CLOSING_STATUS:
            raise Conflict(f"the order is {order.status}; the clinic opens the case by making it active again")
        set_open(connection, case, actor=actor, now=now)
        look_again(connection, case, now=now)
        look_again_at_unmatched(connection, case.clinic_id, lambda _study: True, now=now)


def set_closed(connection: Connection, case: Case, *, reason: str, actor: str, now: datetime) -> None:
    """From now on the retention period runs. The caller has locked the case row."""
    cases.close(connection, case.id, now)
    details = {"status": CaseState.CLOSED, "reason": reason}
    audit.record_of_case(connection, case.id, CLOSED, at=now, actor=actor, details=details)


def set_open(connection: Connection, case: Case, *, actor: str, now: datetime) -> None:
    """The follow-up begins anew, with what came meanwhile. The caller has locked the case row."""
    cases.reopen(connection, case.id)
    take_up_late(connection, case, now=now)
    audit.record_of_case(connection, case.id, REOPENED, at=now, actor=actor, details={"status": CaseState.OPEN})


def close_due(core: Core, job: Job, *, policy: RetentionPolicy) -> None:
    """Close every case whose report was delivered, that waits for nothing, and whose follow-up is over. Recurring."""
    after = policy.close_after

    def quiet() -> list[str]:
        if after is None:
            return []
        with core.database.read() as connection:
            return retention.quiet_since(connection, core.now() - after)

    def is_closed(case_id: str) -> bool:
        return after is not None and _is_closed(core, case_id, after)

    recurring.one_by_one(core, job, quiet, is_closed, most_at_once=MOST_AT_ONCE)


def _is_closed(core: Core, case_id: str, after: timedelta) -> bool:
    with core.database.read() as connection:
        if not _is_over(connection, cases.by_id(connection, case_id), core.now() - after):
            return False
    with core.database.write("case.close-due") as connection:
        case, now = lock_whole(connection, case_id), core.now()
        if case.id not in retention.quiet_since(connection, now - after, case_id=case.id):
            return False
        if not _is_over(connection, case, now - after):
            return False
        set_closed(connection, case, reason=f"retention.close_after_days = {after.days}", actor="gateway", now=now)
        return True


def _is_over(connection: Connection, case: Case, before: datetime) -> bool:
    """True when nobody has opened it again since, nothing is to leave and nothing waits for a person."""
    reopened = audit.of_case(connection, case.id, actions=[REOPENED])
    if reopened and reopened[-1].at > before:
        return False
    return not any(undelivered(connection, case)) and not any(unanswered(connection, case))
