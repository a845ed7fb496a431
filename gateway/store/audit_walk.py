"""One walk along the seals of the audit trail: what fits, and what is said of what does not.

A chain shows that a row, its seal and the seal before do not fit, and not always which of them is another than it was:

- a seal whose digest was changed is told from a row: the next seal was made of the digest that the row makes;
- a row that was changed, and a seal whose time was, look alike;
- so does a row beside which everything was made anew, from the beginning up to it or from it to the end.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from gateway.domain.audit_proof import Anchor, Damage
from gateway.store.audit_digest import DIGESTED, FORMS, GENESIS, digest

_CHANGED = "the row or its seal was changed, or seals beside it were made anew"
_SEAL_CHANGED = "the seal of this row was changed, and the row was not"
_UNREADABLE = "the row or its seal was changed: what it holds cannot be read"
_UNTOLD = "the seal before this one cannot be read, so that nothing tells whether the row was changed"
_REORDERED = "the row stands in another order than it was sealed in"


@dataclass
class _Mismatch:
    """A seal that is not that of its row behind the seal before; `is_of_seal` once seals behind it have shown so."""

    row: Row[Any]
    previous: str | None
    is_of_seal: bool = False


class Walk:
    """After a break it goes on from what is stored, so that each damage is named once."""

    def __init__(self) -> None:
        self.count = 0
        self.good = 0
        self.found: list[Damage | _Mismatch] = []
        self._previous: str | None = GENESIS
        self._position = 0
        self._sealed_id = 0
        self._doubted: list[_Mismatch] = []
        self._otherwise = ""
        """What the seal before would be, had only the digests of the doubted seals been changed."""

    def step(self, row: Row[Any]) -> None:
        """The next seal with its row: the columns of `audit`, and those of `audit_chain.SEALED` behind them."""
        position, sha256, form, sealed_id, sealed_at = row[DIGESTED:]
        if not self._misses_seals(position, sealed_id):
            self._look(row, sha256, form, sealed_id, sealed_at)
        self._stepped(position, sealed_id, sha256)

    def _look(self, row: Row[Any], sha256: str, form: int | None, sealed_id: int, sealed_at: Any) -> None:
        """Whether the seal is that of its row behind the seal before."""
        if row[0] is None:
            self._damaged(Damage(sealed_id, self._position + 1, "the row is gone; its seal is there"))
        elif self._previous is None:
            self._damaged(Damage(sealed_id, self._position + 1, _UNTOLD))
        else:
            made = _made(self._previous, row, form, sealed_at)
            if made and made == sha256:
                self._doubted = []
            else:
                self._doubt(row, made)

    def pass_over(self, position: int, sealed_id: int, sha256: str | None) -> None:
        """The next seal, where it or its row cannot be read; `sha256` is None where that cannot be read either."""
        self._misses_seals(position, sealed_id)
        self._damaged(Damage(sealed_id, position, _UNREADABLE))
        self._stepped(position, sealed_id, sha256)

    def _misses_seals(self, position: int, sealed_id: int) -> bool:
        """Whether there is a gap before this seal, which is a damage; what is behind it has nothing to fit to."""
        if position == self._position + 1:
            return False
        missing = f"seals {self._position + 1} to {position - 1} are missing before the seal of this row"
        self._damaged(Damage(sealed_id, position, missing))
        return True

    def _stepped(self, position: int, sealed_id: int, sha256: str | None) -> None:
        self.count += 1
        self.good += not self.found
        self._position, self._sealed_id, self._previous = position, sealed_id, sha256

    def _damaged(self, damage: Damage) -> None:
        self.found.append(damage)
        self._doubted = []

    def _doubt(self, row: Row[Any], made: str) -> None:
        """A seal that does not fit; `made` is what it would be. Or it does fit, to what the one before should be."""
        if self._doubted:
            made = _made(self._otherwise, row, row.form, row.sealed_at)
        if self._doubted and made and made == row.sha256:
            for one in self._doubted:
                one.is_of_seal = True
            self._doubted = []
            return
        mismatch = _Mismatch(row, self._previous)
        self.found.append(mismatch)
        self._doubted.append(mismatch)
        self._otherwise = made

    def compare(self, anchor: Anchor) -> None:
        """What an anchor says of the seal that was the last one so far."""
        if (self._previous, self._sealed_id) != (anchor.sha256, anchor.audit_id):
            what = f"the anchor of {anchor.at.isoformat()} has another seal here: rows up to it were written anew"
            self.found.append(Damage(self._sealed_id, self._position, what))

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
    """Of the seal where that is sure; reordered where the seals that do not fit would fit in another order."""
    if of.is_of_seal or any(_fits(of.previous, of.row, of.row, form) for form in FORMS):
        what = _SEAL_CHANGED
    elif _is_reordered(of, among):
        what = _REORDERED
    else:
        what = _CHANGED
    return Damage(of.row.sealed_id, of.row.position, what)


def _is_reordered(of: _Mismatch, among: Collection[_Mismatch]) -> bool:
    befores = {before for one in among for before in (one.previous, one.row.sha256)}
    is_moved = any(_fits(before, of.row, of.row, of.row.form) for before in befores)
    return is_moved or any(_fits(of.previous, one.row, of.row, of.row.form) for one in among if one is not of)


def _fits(previous: str | None, row: Row[Any], seal: Row[Any], form: int | None) -> bool:
    made = _made(previous, row, form, seal.sealed_at)
    return bool(made and made == seal.sha256)


def _made(previous: Any, row: Row[Any], form: Any, sealed_at: Any) -> str:
    """The digest; '' of what was changed to something that has none. A changed row may hold anything."""
    try:
        return digest(previous, row, form, sealed_at)
    except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError):
        return ""


def is_digestible(row: Row[Any]) -> bool:
    """Whether a row that waits for its seal can have one."""
    return bool(_made(GENESIS, row, None, None))
