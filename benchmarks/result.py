"""One line of the table: ours beside a peer's, measured in turn in one run, or beside a limit that was promised."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Result:
    """Medians, in the unit that `name` ends with; `ratio` is ours over theirs.

    `met` says whether the ratio stays at or below `target`; both are None of what is shown and not judged.
    """

    group: str
    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    target: float | None
    met: bool | None


def compare(
    group: str, name: str, ours: list[float], peer: list[float], peer_name: str, target: float | None
) -> Result:
    """The result of some runs in turn."""
    mine, theirs = median(ours), median(peer)
    ratio = mine / theirs
    met = None if target is None else ratio <= target
    return Result(group, name, round(mine, 3), round(theirs, 3), peer_name, round(ratio, 2), target, met)


def within(group: str, name: str, ours: list[float], limit: float) -> Result:
    """The result of some runs beside a limit: the ratio is the part of it that was used."""
    return compare(group, name, ours, [limit], "the limit", 1.0)
