"""`make bench`: every group, or the one that ONLY names; a table, and benchmarks/results.json."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import delivery, dicom
from benchmarks.delivery import group
from benchmarks.result import Result

GROUPS: dict[str, Callable[[], list[Result]]] = {dicom.GROUP: dicom.run, delivery.GROUP: group.run}
RESULTS = Path(__file__).with_name("results.json")


@click.command()
@click.option("--only", type=click.Choice(sorted(GROUPS)), help="One group.")
def main(only: str | None) -> None:
    """Measure, print, and write the results; a group that was not measured keeps those it has."""
    results = [result for group, run in GROUPS.items() if only in (None, group) for result in run()]
    Console().print(_table(results))
    lines = [line for line in _known() if only not in (None, line["group"])] + [asdict(result) for result in results]
    RESULTS.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


def _known() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else []


def _table(results: list[Result]) -> Table:
    table = Table("group", "what", "ours", "peer", "peer's name", "ratio", "target", "met")
    for one in results:
        figures = (f"{one.ours:.2f}", f"{one.peer:.2f}", one.peer_name, f"{one.ratio:.2f}")
        target, met = ("", "") if one.target is None else (f"{one.target:.2f}", "yes" if one.met else "no")
        table.add_row(one.group, one.name, *figures, target, met)
    return table


if __name__ == "__main__":
    main()
