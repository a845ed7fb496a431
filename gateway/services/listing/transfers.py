"""The transfer instruments on record, as a person reads them."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.store import transfers


@dataclass(frozen=True)
class TransferLine:
    """One instrument; `ended_by` is '' while no person has ended it."""

    id: str
    clinic: str
    recipient: str
    kind: str
    reference: str
    valid_from: datetime | None
    valid_until: datetime | None
    added_by: str
    added_at: datetime
    ended_by: str
    ended_at: datetime | None


def transfer_lines(core: Core, *, limit: int) -> list[TransferLine]:
    """Newest first."""
    with core.database.read() as connection:
        names = party_names(connection)
        return [
            TransferLine(
                id=one.id,
                clinic=names[one.clinic_id],
                recipient=names[one.recipient_id],
                kind=str(one.kind),
                reference=one.reference,
                valid_from=one.valid_from,
                valid_until=one.valid_until,
                added_by=one.added_by,
                added_at=one.added_at,
                ended_by=one.ended_by or "",
                ended_at=one.ended_at,
            )
            for one in transfers.listed(connection, limit=limit)
        ]
