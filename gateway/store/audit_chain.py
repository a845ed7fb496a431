"""The chain over the audit trail: one sealer chains the rows that were committed, and a walk over it shows any change.

A seal is made of the seal before and the row (`audit_digest`). Changing, removing or reordering a sealed row breaks it,
and a walk names what does not fit (`audit_walk`).
Rows that are committed and not sealed yet are the tail; a row that is in neither place is a break as well: no sealer
would ever come to it. An end that was cut off together with its seals only an anchor shows (`anchors`).
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from gateway.domain.audit_proof import Anchor, Damage, Verification
from gateway.store.audit_digest import GENESIS, WITH_TIME, digest
from gateway.store.audit_walk import Walk, is_digestible
from gateway.store.strange_rows import AT_ONCE, every_row, one_value
from gateway.store.tables import audit, audit_seal, audit_tail
from gateway.store.turns import take_turn

_MOST_NAMED = 100
_HAS_TAIL = select(audit_tail.c.audit_id).limit(1)
_LAST_SEAL = select(audit_seal).order_by(audit_seal.c.position.desc()).limit(1)
_NEXT = select(audit_tail.c.audit_id).order_by(audit_tail.c.audit_id).limit(bindparam("most")).subquery()
_TAIL = select(audit).join(_NEXT, audit.c.id == _NEXT.c.audit_id).order_by(_NEXT.c.audit_id)
"""The tail first: in the order of the rows' own ids SQLite walks along all that were ever sealed."""
_OF_SEAL = (
    audit_seal.c.position,
    audit_seal.c.sha256,
    audit_seal.c.form,
    audit_seal.c.audit_id.label("sealed_id"),
    audit_seal.c.sealed_at,
)
SEALED = select(audit, *_OF_SEAL).outerjoin(audit, audit.c.id == audit_seal.c.audit_id)
_WAITING = (
    select(audit, audit_tail.c.audit_id.label("waiting"))
    .outerjoin(audit_seal, audit_seal.c.audit_id == audit.c.id)
    .outerjoin(audit_tail, audit_tail.c.audit_id == audit.c.id)
    .where(audit_seal.c.audit_id.is_(None))
)


def seal(connection: Connection, *, now: datetime, limit: int = 1000) -> int:
    """Chain up to `limit` committed rows; gives how many. Sealers take turns."""
    take_turn(connection, "audit seal")
    last = connection.execute(_LAST_SEAL).one_or_none()
    position, sha256 = (last.position, last.sha256) if last else (0, GENESIS)
    rows = connection.execute(_TAIL, {"most": limit}).all()
    seals = []
    for row in rows:
        position, sha256 = position + 1, digest(sha256, row, WITH_TIME, now)
        chained = {"position": position, "audit_id": row.id, "sha256": sha256, "form": WITH_TIME}
        seals.append(chained | {"sealed_at": now})
    if seals:
        connection.execute(insert(audit_seal), seals)
        connection.execute(delete(audit_tail).where(audit_tail.c.audit_id.in_([row.id for row in rows])))
    return len(seals)


def has_unsealed(connection: Connection) -> bool:
    """True while committed rows wait for the sealer."""
    return connection.execute(_HAS_TAIL).scalar() is not None


def length(connection: Connection) -> int:
    """How many rows are sealed."""
    return connection.execute(select(func.count()).select_from(audit_seal)).scalar_one()


def head(connection: Connection, *, now: datetime) -> Anchor | None:
    """What the chain is now, in a line; None while nothing is sealed."""
    last = connection.execute(_LAST_SEAL).one_or_none()
    return None if last is None else Anchor(last.position, last.audit_id, last.sha256, now)


def sealed_after(connection: Connection, position: int, limit: int) -> list[Row[Any]]:
    """The next rows of the chain, each with its `position` and `sha256`."""
    behind = SEALED.where(audit_seal.c.position > position).order_by(audit_seal.c.position)
    return list(connection.execute(behind.limit(limit)).all())


def verify(
    connection: Connection,
    advance: Callable[[int], None] = lambda _count: None,
    anchors: Collection[Anchor] = (),
) -> Verification:
    """Recompute every seal in order, and compare each anchor; `advance` hears of every thousand rows."""
    walk = Walk()
    awaited: dict[int, list[Anchor]] = {}
    for anchor in sorted(anchors, key=lambda one: (one.position, one.at)):
        awaited.setdefault(anchor.position, []).append(anchor)
    for position, row in every_row(connection, SEALED, audit_seal.c.position):
        if row is None:
            walk.pass_over(position, *_seal_alone(connection, position))
        else:
            walk.step(row)
        for anchor in awaited.pop(position, ()) if awaited else ():
            walk.compare(anchor)
        if walk.count % AT_ONCE == 0:
            advance(AT_ONCE)
        if len(walk.found) >= _MOST_NAMED:
            break
    else:
        walk.end(one for of_position in awaited.values() for one in of_position)
    unsealed, oldest_at, lost = _unsealed(connection)
    damages = tuple(walk.damages() + lost)
    broken_at = damages[0].audit_id if damages else None
    return Verification(walk.good, unsealed, oldest_at, broken_at, damages)


def _seal_alone(connection: Connection, position: int) -> tuple[int, str | None]:
    """Of which row it is, and its digest, or None for one that cannot be read."""
    is_it = audit_seal.c.position == position
    audit_id = connection.execute(select(audit_seal.c.audit_id).where(is_it)).scalar_one()
    return audit_id, one_value(connection, select(audit_seal.c.sha256).where(is_it))


def _unsealed(connection: Connection) -> tuple[int, datetime | None, list[Damage]]:
    """How many rows no seal covers, since when, and those among them that no sealer would come to, or could seal."""
    count, oldest_at, lost = 0, None, list[Damage]()
    for audit_id, row in every_row(connection, _WAITING, audit.c.id):
        count += 1
        if row is None or not is_digestible(row):
            what = "the row was changed: what it holds cannot be read"
        else:
            oldest_at = min(oldest_at or row.at, row.at)
            what = "" if row.waiting is not None else "the row has no seal, and waits for none"
        if what and len(lost) < _MOST_NAMED:
            lost.append(Damage(audit_id, None, what))
    gone = select(audit_tail.c.audit_id).outerjoin(audit, audit.c.id == audit_tail.c.audit_id)
    gone = gone.where(audit.c.id.is_(None)).order_by(audit_tail.c.audit_id).limit(_MOST_NAMED)
    found = [Damage(one, None, "the row is gone before it was sealed") for one in connection.execute(gone).scalars()]
    return count, oldest_at, lost + found
