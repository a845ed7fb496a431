"""The studies that came, and what each waits for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.record import Study
from gateway.domain.study import StudyState
from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.services.waits import study_wait
from gateway.store import studies


@dataclass(frozen=True)
class StudyLine:
    """A study in a list; `case_id` is empty while it is unmatched, `waits_for` when nothing of it is held back."""

    id: str
    clinic: str
    case_id: str
    state: str
    instances: int
    study_instance_uid: str
    last_received_at: datetime
    waits_for: str


def study_lines(
    core: Core, *, limit: int, case_id: str | None = None, state: StudyState | None = None
) -> list[StudyLine]:
    """Newest first."""
    with core.database.read() as connection:
        return _lines(connection, studies.listed(connection, case_id=case_id, state=state, newest=limit))


def study_line(core: Core, study_id: str) -> StudyLine:
    """Raises NotFound."""
    with core.database.read() as connection:
        return _lines(connection, [studies.by_id(connection, study_id)])[0]


def _lines(connection: Connection, found: Sequence[Study]) -> list[StudyLine]:
    names = party_names(connection)
    counts = studies.instance_counts(connection, [one.id for one in found])
    return [
        StudyLine(
            one.id,
            names[one.clinic_id],
            one.case_id or "",
            one.state,
            counts.get(one.id, 0),
            one.study_instance_uid,
            one.last_received_at,
            study_wait(connection, one),
        )
        for one in found
    ]
