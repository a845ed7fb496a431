"""Which cases a rule of retention is about, by their rows alone."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, select, update

from gateway.domain.case import CaseState
from gateway.domain.delivery import ENDED, DeliveryKind, DeliveryState
from gateway.store.tables import case as cases
from gateway.store.tables import delivery

_REPORTS = (DeliveryKind.REPORT_TO_EHR, DeliveryKind.REPORT_TO_PACS)


def quiet_since(connection: Connection, before: datetime, *, case_id: str | None = None) -> list[str]:
    """Open cases, or that one, with a delivered report, all of whose deliveries have ended by then; ids in order."""
    is_report = and_(delivery.c.kind.in_(_REPORTS), delivery.c.state == DeliveryState.DELIVERED)
    reports = func.sum(case((is_report, 1), else_=0))
    moving = func.sum(case((delivery.c.state.in_(ENDED), 0), else_=1))
    query = select(cases.c.id).join(delivery, delivery.c.case_id == cases.c.id).where(cases.c.state == CaseState.OPEN)
    query = query if case_id is None else query.where(cases.c.id == case_id)
    query = query.group_by(cases.c.id).having(func.max(delivery.c.changed_at) <= before, reports > 0, moving == 0)
    return list(connection.execute(query.order_by(cases.c.id)).scalars())


def closed_since(connection: Connection, before: datetime) -> list[str]:
    """Cases that were closed by then, are not held and not destroyed; ids, the longest closed first."""
    return list(connection.execute(_destroyable(before).order_by(cases.c.closed_at, cases.c.id)).scalars())


def is_closed_since(connection: Connection, case_id: str, before: datetime) -> bool:
    """The same of one case."""
    return connection.execute(_destroyable(before).where(cases.c.id == case_id)).scalar() is not None


def begin_period(connection: Connection, now: datetime) -> None:
    """Cases that were closed when nobody kept the time yet count from now."""
    is_untimed = and_(cases.c.state == CaseState.CLOSED, cases.c.closed_at.is_(None))
    connection.execute(update(cases).where(is_untimed).values(closed_at=now))


def is_needed_by_another(connection: Connection, clinic_id: str, patient_id: str, case_id: str) -> bool:
    """Whether a case of the patient besides this one has not been destroyed."""
    is_other = and_(cases.c.clinic_id == clinic_id, cases.c.patient_id == patient_id, cases.c.id != case_id)
    query = select(cases.c.id).where(is_other, cases.c.destroyed_at.is_(None))
    return connection.execute(query.limit(1)).scalar() is not None


def _destroyable(before: datetime) -> Select[Any]:
    query = select(cases.c.id).where(cases.c.state == CaseState.CLOSED, cases.c.closed_at <= before)
    return query.where(cases.c.legal_hold.is_(None), cases.c.destroyed_at.is_(None))
