"""What is on record for transfers of a clinic's data to a recipient in another country. Nothing is deleted: it ends."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.domain.consent import TransferInstrument, TransferKind
from gateway.domain.errors import NotFound
from gateway.store.tables import transfer_instrument

_BETWEEN = (
    select(transfer_instrument)
    .where(transfer_instrument.c.clinic_id == bindparam("of_clinic"))
    .where(transfer_instrument.c.recipient_id == bindparam("of_recipient"))
    .order_by(transfer_instrument.c.added_at, transfer_instrument.c.id)
)


@dataclass(frozen=True)
class TransferRecord:
    """An instrument as a person recorded it, for one clinic and one recipient; `ended_at` is when one ended it."""

    id: str
    clinic_id: str
    recipient_id: str
    kind: TransferKind
    reference: str
    valid_from: datetime | None
    valid_until: datetime | None
    added_by: str
    added_at: datetime
    ended_by: str | None = None
    ended_at: datetime | None = None

    @property
    def instrument(self) -> TransferInstrument | None:
        """As it is decided on, with the end that a person set; None where that came before its begin."""
        ends = [one for one in (self.valid_until, self.ended_at) if one is not None]
        until = min(ends, default=None)
        if self.valid_from is not None and until is not None and until <= self.valid_from:
            return None
        return TransferInstrument(self.id, self.kind, self.reference, self.valid_from, until)


def add(connection: Connection, new: TransferRecord) -> None:
    """Insert one."""
    connection.execute(insert(transfer_instrument).values(asdict(new)))


def end(connection: Connection, instrument_id: str, *, by: str, now: datetime) -> None:
    """From `now` on nothing stands on it."""
    is_it = transfer_instrument.c.id == instrument_id
    connection.execute(update(transfer_instrument).where(is_it).values(ended_by=by, ended_at=now))


def by_id(connection: Connection, instrument_id: str) -> TransferRecord:
    """Raises NotFound."""
    is_it = transfer_instrument.c.id == instrument_id
    row = connection.execute(select(transfer_instrument).where(is_it)).one_or_none()
    if row is None:
        raise NotFound(f"no transfer instrument {instrument_id}")
    return _record(row)


def listed(connection: Connection, *, limit: int | None = None) -> list[TransferRecord]:
    """All of them, newest first."""
    query = select(transfer_instrument).order_by(transfer_instrument.c.added_at.desc(), transfer_instrument.c.id)
    return [_record(row) for row in connection.execute(query.limit(limit))]


def instruments(connection: Connection, clinic_id: str, recipient_id: str) -> tuple[TransferInstrument, ...]:
    """What the transfers from the one to the other could stand on, also what is over or has not begun."""
    rows = connection.execute(_BETWEEN, {"of_clinic": clinic_id, "of_recipient": recipient_id})
    return tuple(found for row in rows if (found := _record(row).instrument) is not None)


def _record(row: Row[Any]) -> TransferRecord:
    return TransferRecord(**dict(row._mapping) | {"kind": TransferKind(row.kind)})
