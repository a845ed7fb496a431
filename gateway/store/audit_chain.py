"""The chain over the audit trail: one sealer chains the rows that were committed, and a walk over it shows any change.

A seal is sha256(the seal before || canonical JSON of the row). Changing, removing or reordering a sealed row breaks it.
The seal says of which form that JSON is: a sealer of the version before says nothing, and leaves the patient out, also
of rows that a newer program wrote beside it.
Rows that are committed and not sealed yet are the tail; a row that is in neither place is a break as well: no sealer
would ever come to it. An end that was cut off together with its seals only an anchor shows (`anchors`).
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from gateway.domain.audit_proof import Anchor, Damage, Verification
from gateway.store.tables import audit, audit_seal, audit_tail
from gateway.store.turns import take_turn

GENESIS = "0" * 64
_WITH_PATIENT = 2
"""The form that is written now; None is the first one."""
_PART = 1000
_MOST_NAMED = 100
_HAS_TAIL = select(audit_tail.c.audit_id).limit(1)
_LAST_SEAL = select(audit_seal).order_by(audit_seal.c.position.desc()).limit(1)
_NEXT = select(audit_tail.c.audit_id).order_by(audit_tail.c.audit_id).limit(bindparam("most")).subquery()
_DIGESTED = len(audit.columns)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
"""Made once: `json.dumps` with these options makes an encoder for each row."""
_TAIL = select(audit).join(_NEXT, audit.c.id == _NEXT.c.audit_id).order_by(_NEXT.c.audit_id)
"""The tail first: in the order of the rows' own ids SQLite walks along all that were ever sealed."""
_SEALED = (
    select(
        audit, audit_seal.c.position, audit_seal.c.sha256, audit_seal.c.form, audit_seal.c.audit_id.label("sealed_id")
    )
    .outerjoin(audit, audit.c.id == audit_seal.c.audit_id)
    .order_by(audit_seal.c.position)
)


def seal(connection: Connection, *, now: datetime, limit: int = 1000) -> int:
    """Chain up to `limit` committed rows; gives how many. Sealers take turns."""
    take_turn(connection, "audit seal")
    last = connection.execute(_LAST_SEAL).one_or_none()
    position, digest = (last.position, last.sha256) if last else (0, GENESIS)
    rows = connection.execute(_TAIL, {"most": limit}).all()
    seals = []
    for row in rows:
        position, digest = position + 1, _digest(digest, row, _WITH_PATIENT)
        chained = {"position": position, "audit_id": row.id, "sha256": digest, "form": _WITH_PATIENT}
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
    return list(connection.execute(_SEALED.where(audit_seal.c.position > position).limit(limit)).all())


def verify(
    connection: Connection,
    advance: Callable[[int], None] = lambda _count: None,
    anchors: Collection[Anchor] = (),
) -> Verification:
    """Recompute every seal in order, and compare each anchor; `advance` hears of every thousand rows."""
    walk = _Walk()
    awaited: dict[int, list[Anchor]] = {}
    for anchor in sorted(anchors, key=lambda one: (one.position, one.at)):
        awaited.setdefault(anchor.position, []).append(anchor)
    with connection.execute(
        _SEALED.execution_options(yield_per=_PART)
    ) as rows:  # PostgreSQL holds a cursor till its end
        for row in rows:
            walk.step(row)
            if awaited:
                for anchor in awaited.pop(row.position, ()):
                    walk.compare(row, anchor)
            if walk.count % _PART == 0:
                advance(_PART)
            if len(walk.found) >= _MOST_NAMED:
                break
        else:
            walk.end(one for of_position in awaited.values() for one in of_position)
    unsealed, oldest_at, lost = _unsealed(connection)
    damages = tuple(walk.damages() + lost)
    broken_at = damages[0].audit_id if damages else None
    return Verification(walk.good, unsealed, oldest_at, broken_at, damages)


@dataclass(frozen=True)
class _Mismatch:
    """A seal that is not that of its row behind the seal before."""

    row: Row[Any]
    previous: str


class _Walk:
    """One walk along the seals. After a break it goes on from what is stored, so that each damage is named once."""

    def __init__(self) -> None:
        self.count = 0
        self.good = 0
        self.found: list[Damage | _Mismatch] = []
        self._previous = GENESIS
        self._position = 0

    def step(self, row: Row[Any]) -> None:
        """The next seal, with its row."""
        position, sha256, form, sealed_id = row[_DIGESTED:]
        self.count += 1
        if position != self._position + 1:
            missing = f"seals {self._position + 1} to {position - 1} are missing before the seal of this row"
            self.found.append(Damage(sealed_id, position, missing))
        elif row[0] is None:
            self.found.append(Damage(sealed_id, position, "the row is gone; its seal is there"))
        elif _digest(self._previous, row, form) != sha256:
            self.found.append(_Mismatch(row, self._previous))
        self.good += not self.found
        self._position, self._previous = position, sha256

    def compare(self, row: Row[Any], anchor: Anchor) -> None:
        """What an anchor says of this place of the chain."""
        if (row.sha256, row.sealed_id) != (anchor.sha256, anchor.audit_id):
            what = f"the anchor of {anchor.at.isoformat()} has another seal here: rows up to it were written anew"
            self.found.append(Damage(row.sealed_id, row.position, what))

    def end(self, awaited: Iterable[Anchor]) -> None:
        """No more seals: an anchor of a later one tells that the end was cut off."""
        for anchor in awaited:
            what = f"the anchor of {anchor.at.isoformat()} has {anchor.position} seals, and {self._position} are left"
            self.found.append(Damage(anchor.audit_id, anchor.position, what))

    def damages(self) -> list[Damage]:
        """All of them, in the order of the chain."""
        mismatches = [one for one in self.found if isinstance(one, _Mismatch)]
        return [_named(one, mismatches) if isinstance(one, _Mismatch) else one for one in self.found]


def _named(of: _Mismatch, among: Collection[_Mismatch]) -> Damage:
    """Reordered where the seals that do not fit would fit in another order; else the row was changed."""
    befores = {before for one in among for before in (one.previous, one.row.sha256)}
    is_moved = any(_digest(before, of.row, of.row.form) == of.row.sha256 for before in befores)
    others = [one.row for one in among if one is not of]
    is_swapped = any(_digest(of.previous, other, of.row.form) == of.row.sha256 for other in others)
    what = "the row stands in another order than it was sealed in" if is_moved or is_swapped else "the row was changed"
    return Damage(of.row.sealed_id, of.row.position, what)


def _unsealed(connection: Connection) -> tuple[int, datetime | None, list[Damage]]:
    """How many rows no seal covers, since when, and those among them that no sealer would come to."""
    outside = select(audit.c.id, audit.c.at, audit_tail.c.audit_id.label("waiting"))
    outside = outside.outerjoin(audit_seal, audit_seal.c.audit_id == audit.c.id)
    outside = outside.outerjoin(audit_tail, audit_tail.c.audit_id == audit.c.id)
    left = outside.where(audit_seal.c.audit_id.is_(None)).subquery()
    count, oldest_at = connection.execute(select(func.count(), func.min(left.c.at)).select_from(left)).one()
    unknown = select(left.c.id).where(left.c.waiting.is_(None)).order_by(left.c.id).limit(_MOST_NAMED)
    lost = [
        Damage(one, None, "the row has no seal, and waits for none") for one in connection.execute(unknown).scalars()
    ]
    gone = select(audit_tail.c.audit_id).outerjoin(audit, audit.c.id == audit_tail.c.audit_id)
    gone = gone.where(audit.c.id.is_(None)).order_by(audit_tail.c.audit_id).limit(_MOST_NAMED)
    lost += [Damage(one, None, "the row is gone before it was sealed") for one in connection.execute(gone).scalars()]
    return int(count), oldest_at, lost


def _digest(previous: str, row: Row[Any], form: int | None) -> str:
    """Of a row that begins with the columns of `audit`: by place, since a name costs a look-up in each of a million."""
    audit_id, at, actor, action, outcome, case_id, subject, details, patient_id = row[:_DIGESTED]
    content = [audit_id, at.astimezone(UTC).isoformat(), actor, action, outcome, case_id, subject, details]
    if form == _WITH_PATIENT:
        content.append(patient_id)
    return hashlib.sha256((previous + _CANONICAL(content)).encode()).hexdigest()
