"""A measurement that fails is named, and stops no other."""

import io

from rich.console import Console

from benchmarks.__main__ import table
from benchmarks.measuring import Measurement, measure
from benchmarks.result import Result, compare, within


def _fails() -> list[Result]:
    raise RuntimeError("the broker is missing")


def test_the_others_are_still_taken_and_the_screen_tells_of_each() -> None:
    screen = Console(file=io.StringIO(), width=200)
    result = within("group", "seconds", [0.5], 1.0)
    first, second = measure(
        [Measurement("group", "broken", _fails), Measurement("group", "whole", lambda: [result])], screen
    )
    assert (first.results, first.error) == ([], "RuntimeError: the broker is missing")
    assert (second.results, second.error) == ([result], "")
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    told = [" ".join(line.split()[:3]) for line in lines if line.startswith("group: ")]
    assert told == ["group: broken begins", "group: broken FAILED", "group: whole begins", "group: whole ends"]


def test_a_limit_that_is_not_met_shows_in_the_table() -> None:
    screen = Console(file=io.StringIO(), width=200)
    screen.print(table([within("group", "a, s", [2.0], 1.0), compare("group", "b, s", [1.0], [2.0], "peer", None)]))
    assert isinstance(screen.file, io.StringIO)
    rows = [line.strip().strip("|").split("|") for line in screen.file.getvalue().splitlines() if "|" in line]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0] == ["what", "figure", "beside it", "whose", "ratio", "limit", "met"]
    assert cells[2] == ["a, s", "2", "1", "the limit", "2", "1", "**no**"]
    assert cells[3] == ["b, s", "1", "2", "peer", "0.5", "", ""]
