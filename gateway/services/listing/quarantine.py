"""What waits in quarantine, and one entry with its values."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.store import audit, studies
from gateway.store.studies import Quarantined


@dataclass(frozen=True)
class QuarantineLine:
    """What waits for a person, without the values."""

    id: str
    kind: str
    case_id: str
    study_id: str
    reason: str
    created_at: datetime
    resolution: str


def quarantine_lines(core: Core, *, limit: int, is_open: bool = True) -> list[QuarantineLine]:
    """Oldest first; with `is_open` False the resolved ones too."""
    with core.database.read() as connection:
        return [
            QuarantineLine(
                one.id,
                one.kind,
                one.case_id or "",
                one.study_id or "",
                one.reason,
                one.created_at,
                one.resolution or "",
            )
            for one in studies.quarantined(connection, is_open=is_open, limit=limit)
        ]


def quarantine_entry(core: Core, quarantine_id: str, *, actor: str) -> Quarantined:
    """One entry with both values; that `actor` saw them is recorded. Raises NotFound."""
    with core.database.write("quarantine.show") as connection:
        entry = studies.quarantined_by_id(connection, quarantine_id)
        audit.record(
            connection,
            at=core.now(),
            actor=actor,
            action="quarantine.shown",
            case_id=entry.case_id,
            subject=f"quarantine/{entry.id}",
        )
    return entry
