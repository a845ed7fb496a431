"""Audit rows commit with their cause; one sealer chains the committed rows afterwards.

The chain: sha256(previous seal || canonical JSON of the row). Changing, removing or reordering a sealed row breaks
every seal after it. Rows that are committed and not sealed yet are the tail; `verify` counts them, and a row that is in
neither place breaks the chain too: no sealer would ever come to it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, func, insert, select

from gateway.domain.case import CaseState
from gateway.domain.record import Delivery
from gateway.store.tables import audit, audit_seal, audit_tail
from gateway.store.tables import case as cases
from gateway.store.turns import take_turn

GENESIS = "0" * 64
CASE_RESTORED = "case.restored"
"""The action that says: the case came from a backup, and what happened to it since is not known."""
_PART = 1000
_ADD = insert(audit).returning(audit.c.id)
_ADD_TO_TAIL = insert(audit_tail)
_RESTORED_AT = select(func.max(audit.c.at)).where(
    audit.c.case_id == bindparam("of_case"), audit.c.action == CASE_RESTORED
)
_HAS_TAIL = select(audit_tail.c.audit_id).limit(1)
_LAST_SEAL = select(audit_seal).order_by(audit_seal.c.position.desc()).limit(1)
_TAIL = select(audit).join(audit_tail, audit.c.id == audit_tail.c.audit_id).order_by(audit.c.id)


def record(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    outcome: str = "success",
    case_id: str | None = None,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add one row to the current transaction. `subject` and `details` hold ids and codes, never patient data."""
    row = {"at": at, "actor": actor, "action": action, "outcome": outcome, "case_id": case_id}
    values = row | {"subject": subject, "details": dict(details or {})}
    audit_id = connection.execute(_ADD, values).scalar_one()
    connection.execute(_ADD_TO_TAIL, {"audit_id": audit_id})


def record_of_case(
    connection: Connection,
    case_id: str,
    action: str,
    *,
    at: datetime,
    actor: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """What became of the case itself."""
    subject = f"case/{case_id}"
    record(connection, at=at, actor=actor, action=action, case_id=case_id, subject=subject, details=details)


def record_of_delivery(
    connection: Connection,
    of: Delivery,
    action: str,
    *,
    at: datetime,
    actor: str,
    outcome: str = "success",
    details: Mapping[str, Any] | None = None,
) -> None:
    """What became of one delivery."""
    record(
        connection,
        at=at,
        actor=actor,
        action=action,
        outcome=outcome,
        case_id=of.case_id,
        subject=f"delivery/{of.id}",
        details=details,
    )


@dataclass(frozen=True)
class Verification:
    """What a walk over the whole chain found; `unsealed` are all rows that no seal covers.

    `broken_at` is the audit id of the first row that does not fit, or else of the first that nobody would seal.
    """

    sealed: int
    unsealed: int
    broken_at: int | None


def seal(connection: Connection, *, now: datetime, limit: int = 1000) -> int:
    """Chain up to `limit` committed rows; gives how many. Sealers take turns."""
    take_turn(connection, "audit seal")
    last = connection.execute(_LAST_SEAL).one_or_none()
    position, digest = (last.position, last.sha256) if last else (0, GENESIS)
    rows = connection.execute(_TAIL.limit(limit)).all()
    seals = []
    for row in rows:
        position, digest = position + 1, _digest(digest, row)
        seals.append({"position": position, "audit_id": row.id, "sha256": digest, "sealed_at": now})
    if seals:
        connection.execute(insert(audit_seal), seals)
        connection.execute(delete(audit_tail).where(audit_tail.c.audit_id.in_([row.id for row in rows])))
    return len(seals)


def length(connection: Connection) -> int:
    """How many rows are sealed."""
    return connection.execute(select(func.count()).select_from(audit_seal)).scalar_one()


def verify(connection: Connection, advance: Callable[[int], None] = lambda _count: None) -> Verification:
    """Recompute every seal in order; `advance` hears of every thousand rows."""
    chain = select(audit_seal.c.position, audit_seal.c.sha256, audit_seal.c.audit_id.label("sealed_id"), audit)
    chain = chain.outerjoin(audit, audit.c.id == audit_seal.c.audit_id).order_by(audit_seal.c.position)
    digest, expected = GENESIS, 0
    with connection.execute(chain.execution_options(yield_per=_PART)) as rows:  # PostgreSQL holds a cursor till its end
        for row in rows:
            expected += 1
            if expected % _PART == 0:
                advance(_PART)
            digest = _digest(digest, row) if row.id is not None else ""
            if row.position != expected or digest != row.sha256:
                return Verification(expected - 1, _unsealed(connection)[0], row.sealed_id)
    return Verification(expected, *_unsealed(connection))


def of_case(
    connection: Connection, case_id: str, *, actions: Sequence[str] = (), subject: str | None = None
) -> list[Row[Any]]:
    """The rows of one case, oldest first, optionally only these actions, or those about one subject."""
    query = select(audit).where(audit.c.case_id == case_id).order_by(audit.c.id)
    query = query if subject is None else query.where(audit.c.subject == subject)
    return list(connection.execute(query.where(audit.c.action.in_(actions)) if actions else query).all())


def last_in_closed_cases(
    connection: Connection, actions: Sequence[str], *, case_id: str | None = None
) -> list[Row[Any]]:
    """The last row with one of these actions about each subject, oldest first.

    Of the cases that are closed and not destroyed, or of that one if it is.
    """
    is_kept = and_(cases.c.state == CaseState.CLOSED, cases.c.destroyed_at.is_(None))
    is_kept = is_kept if case_id is None else and_(is_kept, cases.c.id == case_id)
    last = select(func.max(audit.c.id)).join(cases, cases.c.id == audit.c.case_id)
    named = audit.c.action.in_(bindparam("actions", actions, expanding=True, literal_execute=True))
    last = last.where(is_kept, named).group_by(audit.c.subject)  # literal: a parameter uses no partial index
    return list(connection.execute(select(audit).where(audit.c.id.in_(last)).order_by(audit.c.id)).all())


def restored_at(connection: Connection, case_id: str) -> datetime | None:
    """When the case last came from a backup; None when it never did."""
    return connection.execute(_RESTORED_AT, {"of_case": case_id}).scalar()


def newest_of_case(connection: Connection, case_id: str, limit: int) -> list[Row[Any]]:
    """The last rows of one case, newest first."""
    query = select(audit).where(audit.c.case_id == case_id).order_by(audit.c.id.desc())
    return list(connection.execute(query.limit(limit)).all())


def has_unsealed(connection: Connection) -> bool:
    """True while committed rows wait for the sealer."""
    return connection.execute(_HAS_TAIL).scalar() is not None


def _unsealed(connection: Connection) -> tuple[int, int | None]:
    """How many rows no seal covers, and the first of them that is not in the tail either."""
    unknown = case((audit_tail.c.audit_id.is_(None), audit.c.id))
    query = select(func.count(), func.min(unknown)).select_from(audit)
    query = query.outerjoin(audit_seal, audit_seal.c.audit_id == audit.c.id)
    query = query.outerjoin(audit_tail, audit_tail.c.audit_id == audit.c.id)
    count, first = connection.execute(query.where(audit_seal.c.audit_id.is_(None))).one()
    return int(count), first


def _digest(previous: str, row: Row[Any]) -> str:
    content = [row.id, row.at.astimezone(UTC).isoformat(), row.actor, row.action, row.outcome]
    content += [row.case_id, row.subject, row.details]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256((previous + canonical).encode()).hexdigest()
