"""`make bench`: measure in groups, or what ONLY names; a table in Markdown, and benchmarks/results.json.

The exit status is 1 when something could not be measured. A limit that is not met is told by the table, and with
`--strict` by the exit status too.
"""

import json
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import structlog
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import dicom
from benchmarks.audit import GROUP as AUDIT
from benchmarks.audit import trail
from benchmarks.consent.group import MEASUREMENTS as OF_CONSENT
from benchmarks.delivery.group import AT_LENGTH, MEASUREMENTS
from benchmarks.measuring import Measured, Measurement, measure
from benchmarks.result import Result

USUAL = (Measurement(dicom.GROUP, "receiving", dicom.run), *MEASUREMENTS, *OF_CONSENT)
KNOWN = (*USUAL, *AT_LENGTH, Measurement(AUDIT, "audit-trail", trail.run))
NAMES = sorted({name for one in KNOWN for name in (one.group, one.name)})
RESULTS = Path(__file__).with_name("results.json")
_AS_WIDE_AS_NEEDED = 400


@click.command()
@click.option("--only", type=click.Choice(NAMES), help="One group, or one measurement.")
@click.option("--strict", "is_strict", is_flag=True, help="A limit that is not met is a failure.")
def main(only: str | None, is_strict: bool) -> None:
    """Measure, print, and write the results; what was not measured keeps those it has."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # the peers are ended at an exit
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    chosen = USUAL if only is None else [one for one in KNOWN if only in (one.group, one.name)]
    screen, measured = Console(stderr=True), []
    for one in measure(chosen, screen):
        measured.append(one)
        _keep(one)
    results = [result for one in measured for result in one.results]
    Console(width=_AS_WIDE_AS_NEEDED).print(table(results))
    failed = [one for one in measured if one.error]
    for one in failed:
        screen.print(f"not measured: {one.measurement.name} ({one.error.splitlines()[0]})", markup=False)
    is_missed = is_strict and any(result.met is False for result in results)
    sys.exit(1 if failed or is_missed else 0)


def table(results: Sequence[Result]) -> Table:
    """As docs/capacity.md shows it."""
    shown = Table("what", "figure", "beside it", "whose", "ratio", "limit", "met", box=box.MARKDOWN, highlight=False)
    for one in results:
        limit, met = ("", "") if one.target is None else (f"{one.target:g}", "yes" if one.met else "**no**")
        shown.add_row(one.name, f"{one.ours:g}", f"{one.peer:g}", one.peer_name, f"{one.ratio:g}", limit, met)
    return shown


def _keep(measured: Measured) -> None:
    """In the file, in place of what the same measurement gave before."""
    known: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    name = measured.measurement.name
    lines = [line for line in known if line.get("measurement") != name]
    lines += [{"measurement": name} | asdict(result) for result in measured.results]
    RESULTS.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
