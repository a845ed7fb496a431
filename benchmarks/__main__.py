"""`make bench`: every group, or the one that ONLY names; a table, and benchmarks/results.json."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import dicom
from benchmarks.result import Result

GROUPS: dict[str, Callable[[], list[Result]]] = {dicom.GROUP: dicom.run}
RESULTS = Path(__file__).with_name("results.json")


@click.command()
@click.option("--only", type=click.Choice(sorted(GROUPS)), help="One group.")
def main(only: str | None) -> None:
    """Measure, print, and write the results."""
    results = [result for group, run in GROUPS.items() if only in (None, group) for result in run()]
    Console().print(_table(results))
    RESULTS.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n", encoding="utf-8")


def _table(results: list[Result]) -> Table:
    table = Table("group", "what", "ours, s", "peer, s", "peer", "ratio", "target", "met")
    for one in results:
        figures = (f"{one.ours:.2f}", f"{one.peer:.2f}", one.peer_name, f"{one.ratio:.2f}")
        table.add_row(one.group, one.name, *figures, f"{one.target:.2f}", "yes" if one.met else "no")
    return table


if __name__ == "__main__":
    main()
