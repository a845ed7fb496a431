"""The cases there are."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.store import cases


@dataclass(frozen=True)
class CaseLine:
    """A case in a list; `reviewer` is empty while nobody is assigned."""

    id: str
    pseudonym: str
    clinic: str
    reviewer: str
    state: str
    created_at: datetime


def case_lines(core: Core, *, limit: int) -> list[CaseLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = party_names(connection)
        return [
            CaseLine(
                one.id,
                one.pseudonym,
                names[one.clinic_id],
                names.get(one.reviewer_id or "", ""),
                one.state,
                one.created_at,
            )
            for one in cases.listed(connection, limit=limit)
        ]
