"""Recall notices: what had been granted when its consent went.

An audit row ends a notice: a person's acknowledgement, or a later consent that permits what had left. A notice that is
raised once more needs another one.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, literal, select, update

from gateway.domain.delivery import ReadGrant
from gateway.domain.errors import NotFound
from gateway.domain.ids import new_id
from gateway.domain.record import Disclosed, RecallNotice
from gateway.store.tables import audit, recall_notice

ACKNOWLEDGED, WITHDRAWN = "recall.acknowledged", "recall.withdrawn"


def add(connection: Connection, disclosed: Disclosed, consent_id: str, *, reason: str, now: datetime) -> str:
    """There is one for what was disclosed and each consent; gives its id."""
    row = {"id": new_id(), "case_id": disclosed.case_id, _column(disclosed): disclosed.id, "consent_id": consent_id}
    connection.execute(insert(recall_notice).values(row | {"reason": reason, "created_at": now}))
    return row["id"]


def raise_again(connection: Connection, recall_id: str, *, reason: str, now: datetime) -> None:
    """The notice stands anew, whatever was acknowledged of it before `now`."""
    again = update(recall_notice).where(recall_notice.c.id == recall_id)
    connection.execute(again.values(reason=reason, created_at=now))


def of_disclosed(connection: Connection, disclosed: Disclosed, consent_id: str) -> RecallNotice | None:
    """The one notice of that and of the consent."""
    is_it = and_(recall_notice.c[_column(disclosed)] == disclosed.id, recall_notice.c.consent_id == consent_id)
    row = connection.execute(_notices().where(is_it)).one_or_none()
    return None if row is None else _notice(row)


def by_id(connection: Connection, recall_id: str) -> RecallNotice:
    """Raises NotFound."""
    row = connection.execute(_notices().where(recall_notice.c.id == recall_id)).one_or_none()
    if row is None:
        raise NotFound(f"no recall notice {recall_id}")
    return _notice(row)


def listed(
    connection: Connection, *, case_id: str | None = None, is_open: bool = True, limit: int | None = None
) -> list[RecallNotice]:
    """Oldest first; with `is_open` False the acknowledged ones too."""
    query = _notices().order_by(recall_notice.c.created_at, recall_notice.c.id)
    query = query.where(audit.c.id.is_(None)) if is_open else query
    query = query if case_id is None else query.where(recall_notice.c.case_id == case_id)
    return [_notice(row) for row in connection.execute(query.limit(limit))]


def subject_of(recall_id: str) -> str:
    """What the audit rows of a notice name as their subject."""
    return f"recall/{recall_id}"


def _column(disclosed: Disclosed) -> str:
    return "read_grant_id" if isinstance(disclosed, ReadGrant) else "delivery_id"


def _notices() -> Any:
    is_its_end = and_(
        audit.c.case_id == recall_notice.c.case_id,
        audit.c.action.in_((ACKNOWLEDGED, WITHDRAWN)),
        audit.c.subject == literal(subject_of("")) + recall_notice.c.id,
        audit.c.at >= recall_notice.c.created_at,
    )
    ended = (audit.c.at.label("acknowledged_at"), audit.c.actor.label("acknowledged_by"))
    return select(recall_notice, *ended).outerjoin(audit, is_its_end)


def _notice(row: Row[Any]) -> RecallNotice:
    values = dict(row._mapping)
    return RecallNotice(**values | {"acknowledged_by": row.acknowledged_by or ""})
