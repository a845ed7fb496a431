"""What a walk over the audit chain found, and what it is compared with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Anchor:
    """The chain at `at`: the seal at `position`, which counts the sealed rows, was `sha256`, of the row `audit_id`.

    Kept where nobody who can write the database can write, it shows an end that was cut off, or a chain made anew.
    """

    position: int
    audit_id: int
    sha256: str
    at: datetime


@dataclass(frozen=True)
class Damage:
    """What is wrong with an audit row; `position` is its place in the chain, None for a row outside it."""

    audit_id: int
    position: int | None
    what: str


@dataclass(frozen=True)
class Verification:
    """`sealed` seals fit before the first damage; `unsealed` are all rows that no seal covers, the oldest of that time.

    `broken_at` is the audit id of the first damage, None for a whole chain.
    """

    sealed: int
    unsealed: int
    oldest_unsealed_at: datetime | None
    broken_at: int | None
    damages: tuple[Damage, ...]
