"""Measurements one after another: each says when it begins and ends, and one that fails stops no other."""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from rich.console import Console

from benchmarks.result import Result


@dataclass(frozen=True)
class Measurement:
    """What `run` measures; `--only` takes the name and the group's."""

    group: str
    name: str
    run: Callable[[], list[Result]]


@dataclass(frozen=True)
class Measured:
    """Its results; none of a measurement that failed, and `error` says why."""

    measurement: Measurement
    results: list[Result] = field(default_factory=list)
    error: str = ""


def measure(measurements: Iterable[Measurement], screen: Console) -> Iterator[Measured]:
    """One after another; `screen` gets a line as each begins and ends, and the traceback of one that fails."""
    for one in measurements:
        screen.print(f"{one.group}: {one.name} begins", highlight=False)
        begin = time.monotonic()
        try:
            measured = Measured(one, one.run())
        except Exception as exc:  # noqa: BLE001  # the others are still wanted, and the exit status tells
            measured = Measured(one, error=f"{type(exc).__name__}: {exc}")
            screen.print(traceback.format_exc(), markup=False, highlight=False)
        how = "FAILED" if measured.error else "ends"
        screen.print(f"{one.group}: {one.name} {how} after {time.monotonic() - begin:.0f} s", highlight=False)
        yield measured
