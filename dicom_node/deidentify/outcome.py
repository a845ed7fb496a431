"""What comes out of de-identification: a clean data set, or the reasons why there is none."""

from dataclasses import dataclass

from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Finding:
    """One reason to hold an object.

    `kind` is a stable word for rules and statistics, `at` the path of the attribute, such as
    `(0040,A730)[2]/(0040,A160)` with items counted from 0, or empty for the whole object. `message` is for people and
    never contains a value.
    """

    kind: str
    at: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """`dataset` is None exactly when there are findings: the object waits in quarantine."""

    dataset: Dataset | None
    findings: tuple[Finding, ...]


def path_of(parent: str, tag: int) -> str:
    """The path of an attribute below `parent`, which is empty or ends with an item index."""
    here = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return f"{parent}/{here}" if parent else here
