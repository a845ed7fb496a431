"""Mutants that nobody can tell from the decision, each with the reason: equivalent.toml."""

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.soak.mutation.mutants import Mutant

_LIST = Path(__file__).with_name("equivalent.toml")
_ANYWHERE = "any module"
Key = tuple[str, str, str]
"""The module, or any; what was there and what it becomes: whole lines, or any part of one."""


@dataclass(frozen=True)
class Equivalents:
    """`operators` are not tried at all; what else is listed is tried, and has to survive."""

    operators: dict[str, str]
    mutant: list[dict[str, str]]
    part: list[dict[str, Any]]

    @cached_property
    def lines(self) -> frozenset[Key]:
        """Single mutants, by their lines."""
        return frozenset((one["module"], one["was"], one["becomes"]) for one in self.mutant)

    @cached_property
    def parts(self) -> frozenset[Key]:
        """What may become what wherever it stands."""
        return frozenset((_ANYWHERE, one["was"], becomes) for one in self.part for becomes in one["becomes"])

    def of(self, mutant: Mutant) -> frozenset[Key]:
        """The entries that speak of this mutant."""
        line = {(mutant.stem, mutant.was, mutant.becomes)} & self.lines
        return frozenset(line | {key for key in self.parts if _is_made_by(mutant, *key[1:])})

    def stale(self, survivors: Iterable[Mutant], modules: Collection[str]) -> list[Key]:
        """Entries that no survivor is a case of; of single mutants alone where these are not `modules` of all."""
        met = frozenset(key for one in survivors for key in self.of(one))
        expected = {key for key in self.lines if not modules or key[0] in modules}
        return sorted((expected if modules else expected | self.parts) - met)


def listed() -> Equivalents:
    """As the file has them."""
    return Equivalents(**tomllib.loads(_LIST.read_text(encoding="utf-8")))


def _is_made_by(mutant: Mutant, was: str, becomes: str) -> bool:
    before, found, after = mutant.was.partition(was)
    return bool(found) and mutant.becomes == f"{before}{becomes}{after}"
