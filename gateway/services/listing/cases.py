"""The cases there are."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.store import cases, resources


@dataclass(frozen=True)
class CaseLine:
    """A case in a list with the numbers of its order; `reviewer` is empty while nobody is assigned."""

    id: str
    orders: tuple[str, ...]
    pseudonym: str
    clinic: str
    reviewer: str
    state: str
    created_at: datetime


def case_lines(core: Core, *, limit: int) -> list[CaseLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = party_names(connection)
        found = cases.listed(connection, limit=limit)
        numbers = resources.identifier_values(connection, [one.id for one in found])
        return [
            CaseLine(
                one.id,
                numbers.get(one.id, ()),
                one.pseudonym,
                names[one.clinic_id],
                names.get(one.reviewer_id or "", ""),
                one.state,
                one.created_at,
            )
            for one in found
        ]
