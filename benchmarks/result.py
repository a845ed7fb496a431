"""One line of the table: ours beside a peer's, measured in turn in one run."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Result:
    """Seconds, medians; `ratio` is ours over theirs, `met` says whether it stays at or below `target`."""

    group: str
    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    target: float
    met: bool


def compare(group: str, name: str, ours: list[float], peer: list[float], peer_name: str, target: float) -> Result:
    """The result of some runs in turn."""
    mine, theirs = median(ours), median(peer)
    ratio = mine / theirs
    return Result(group, name, round(mine, 3), round(theirs, 3), peer_name, round(ratio, 2), target, ratio <= target)
