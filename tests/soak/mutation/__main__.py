"""`make soak`: does the decision table notice every change of a comparison or operator in the decision?

Each mutant is tried in a forked child, which imports the changed source in place of the module; no file is changed. One
that survives and is not listed in equivalent.toml, with the reason why nobody could tell it apart, is a failure, and so
is one that is listed and does not survive.
"""

import gc
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import hypothesis
from hypothesis import strategies

from fhir_mappings import links, references, resource_types
from gateway.domain import delivery, errors, party
from tests.soak.mutation.equivalent import listed
from tests.soak.mutation.mutants import Mutant, mutants_of
from tests.unit.gateway.domain.consent import table

WARM: tuple[ModuleType, ...] = (links, references, resource_types, delivery, errors, party, table)
"""Imported once, before the children part; they import nothing of the decision."""
PACKAGE = "gateway.domain.consent"
FOLDER = Path(*PACKAGE.split("."))
PATIENCE_S = 60


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds the mutant where its module is imported."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._mutant.module else None

    def get_source(self, _fullname: str) -> str:
        return self._mutant.source


def main() -> None:
    """Try the mutants of all modules, or of those named as arguments; tell the score."""
    _warm_up()
    if not _is_survived(None):
        sys.exit("the decision itself does not pass; nothing was mutated")
    named = sys.argv[1:]
    equivalents = listed()
    modules = [path for path in sorted(FOLDER.glob("*.py")) if not named or path.stem in named]
    mutants = [one for path in modules for one in mutants_of(path, f"{PACKAGE}.{path.stem}")]
    tried = [one for one in mutants if one.operator not in equivalents.operators]
    survivors = [one for one in tried if _is_survived(one, is_told=not equivalents.of(one))]
    missed = [one for one in survivors if not equivalents.of(one)]
    stale = equivalents.stale(survivors, named)
    for key in stale:
        _tell(f"LISTED and not surviving: {key}")
    killed, equivalent = len(tried) - len(survivors), len(survivors) - len(missed)
    _tell(f"{len(tried)} mutants: {killed} killed, {equivalent} equivalent, {len(missed)} missed")
    sys.exit(1 if missed or stale else 0)


def _is_survived(mutant: Mutant | None, *, is_told: bool = False) -> bool:
    child = os.fork()
    if child == 0:
        os._exit(_tried(mutant))
    _, status = os.waitpid(child, 0)
    if is_told and mutant and status == 0:
        _tell(f"SURVIVED {mutant.module} ({mutant.operator})\n- {mutant.was}\n+ {mutant.becomes}\n")
    return status == 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tried(mutant: Mutant | None) -> int:
    """In the child: 0 where everything passes. One that does not end is ended by the alarm."""
    signal.alarm(PATIENCE_S)
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        importlib.import_module("tests.soak.mutation.check").main()
    except BaseException as error:  # noqa: BLE001  # whatever it raises, it was noticed
        sys.stderr.write(f"{error!r}\n")
        return 1
    return 0


def _warm_up() -> None:
    """Have hypothesis load what it loads at its first example."""

    @hypothesis.settings(max_examples=5, database=None)
    @hypothesis.given(strategies.lists(strategies.integers()))
    def example(_numbers: list[int]) -> None:
        pass

    example()
    if PACKAGE in sys.modules:
        raise RuntimeError("what is mutated was imported before it was mutated")
    gc.freeze()


if __name__ == "__main__":
    main()
