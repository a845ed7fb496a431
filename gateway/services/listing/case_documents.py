"""The documents of the cases."""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.services.core import Core
from gateway.store import cases


@dataclass(frozen=True)
class DocumentLine:
    """A document in a list: its kind is a LOINC code, since its title may name the patient."""

    id: str
    case_id: str
    state: str
    loinc: str
    clinical_date: date
    created_at: datetime
    cleared_by: str | None


def documents(core: Core, *, limit: int, case_id: str | None = None) -> list[DocumentLine]:
    """Newest first."""
    with core.database.read() as connection:
        found = cases.documents(connection, case_id=case_id, newest=limit)
    return [
        DocumentLine(one.id, one.case_id, one.state, one.loinc, one.clinical_date, one.created_at, one.cleared_by)
        for one in found
    ]
