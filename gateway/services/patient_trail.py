"""Who saw or changed what of one patient, and on what ground.

A module of its own, which imports little: the command answers within a second.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from gateway.services.core import Core
from gateway.store import audit

_GROUND = ("decision", "consents", "named", "purposes", "flow", "to", "endpoint", "reasons")
"""Of the details: what a look or a disclosure rests on."""


@dataclass(frozen=True)
class PatientLine:
    """One audit row about a patient; `ground` says on which decision, by which consents and for what purpose."""

    id: int
    at: datetime
    actor: str
    action: str
    outcome: str
    case_id: str
    subject: str
    ground: str
    details: dict[str, object]


def patient_lines(core: Core, patient_id: str, *, limit: int) -> list[PatientLine]:
    """Who saw or changed what of one patient, newest first. Raises NotFound."""
    with core.database.read() as connection:
        audit.require_patient(connection, patient_id)
        rows = audit.of_patient(connection, patient_id, limit=limit)
    return [_patient_line(row) for row in rows]


def _patient_line(row: Row[Any]) -> PatientLine:
    details = dict(row.details)
    ground = "; ".join(f"{name} {_written(details[name])}" for name in _GROUND if details.get(name))
    case_id = row.case_id or ""
    return PatientLine(row.id, row.at, row.actor, row.action, row.outcome, case_id, row.subject, ground, details)


def _written(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
