"""What happened to a case and what it waits for, as a person reads it. Ids and codes only, no patient data."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.moments import require_aware

ADMINISTRATOR, COORDINATOR = "an administrator", "a coordinator"
"""Who can move a case: the one keeps the gateway and its endpoints running, the other looks after cases."""


@dataclass(frozen=True)
class Station:
    """One thing that happened. `consents` are `id/version` of what a decision rests on; empty where none was asked."""

    at: datetime
    what: str
    outcome: str = ""
    consents: tuple[str, ...] = ()
    detail: str = ""

    def __post_init__(self) -> None:
        require_aware(at=self.at)


@dataclass(frozen=True)
class Wait:
    """One reason why the case does not move: what is missing, since when, and who can move it."""

    what: str
    since: datetime
    who: str

    def __post_init__(self) -> None:
        require_aware(since=self.since)


@dataclass(frozen=True)
class CaseStory:
    """The whole story, oldest station first. `reviewer` is empty while nobody is assigned."""

    case_id: str
    pseudonym: str
    clinic: str
    reviewer: str
    state: str
    stations: tuple[Station, ...]
    waits: tuple[Wait, ...]
    closed_at: datetime | None = None
    legal_hold: str | None = None
    destroyed_at: datetime | None = None
