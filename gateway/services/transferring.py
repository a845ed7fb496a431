"""What lets a clinic's data go to a recipient in another country: recorded, listed and ended by an administrator.

Every change decides anew on what waits, in the same transaction. What left while an instrument stood stays where it is:
that it ended takes no consent back, so nothing is recalled.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.consent import TransferKind
from gateway.domain.consent.transfer import why_unfit
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.ids import new_id
from gateway.domain.party import Party, PartyKind
from gateway.services.core import Core
from gateway.services.dates import begin_of, end_of
from gateway.services.revocation import redecide_case
from gateway.store import audit, cases, parties, resources, transfers
from gateway.store.transfers import TransferRecord

_STAGE = "transfer"
_LONGEST_REFERENCE = 200


@dataclass(frozen=True)
class NewTransfer:
    """An instrument to record, from the begin of one FHIR date to the end of another; '' is open."""

    clinic: str
    recipient: str
    kind: TransferKind
    reference: str
    first: str = ""
    last: str = ""


def add(core: Core, new: NewTransfer, *, actor: str) -> str:
    """Record it, and decide anew on what waits for it; gives its id.

    Raises NotFound (a party), Conflict for the same once more, and Invalid for parties or a kind that cannot carry it,
    a reference that says nothing and an end that is not after the begin.
    """
    with core.database.write("transfer.add") as connection:
        clinic = _party(connection, new.clinic, PartyKind.CLINIC)
        recipient = _party(connection, new.recipient, PartyKind.REVIEWER)
        resources.lock_party(connection, clinic.id)
        _check(new, clinic, recipient)
        record = TransferRecord(
            id=new_id(),
            clinic_id=clinic.id,
            recipient_id=recipient.id,
            kind=new.kind,
            reference=new.reference.strip(),
            valid_from=begin_of(new.first, clinic, at="from"),
            valid_until=end_of(new.last, clinic, at="until"),
            added_by=actor,
            added_at=core.now(),
        )
        instrument = record.instrument
        if instrument is None:
            raise Invalid("it ends before it begins", at="until")
        for known in transfers.instruments(connection, clinic.id, recipient.id):
            if replace(known, id=instrument.id) == instrument:
                raise Conflict(f"the same is on record already: transfer instrument {known.id}")
        transfers.add(connection, record)
        _changed(connection, record, "transfer.add", actor, record.added_at)
    return record.id


def end(core: Core, record_id: str, *, actor: str) -> None:
    """Nothing stands on it from now on: what is pending stops, and grants are cancelled, in the same transaction.

    Raises NotFound, and Conflict when a person has ended it already.
    """
    with core.database.write("transfer.end") as connection:
        resources.lock_party(connection, transfers.by_id(connection, record_id).clinic_id)
        record, now = transfers.by_id(connection, record_id), core.now()
        if record.ended_at is not None:
            raise Conflict(f"transfer instrument {record_id} was ended by {record.ended_by}")
        transfers.end(connection, record_id, by=actor, now=now)
        _changed(connection, record, "transfer.end", actor, now)


def _party(connection: Connection, name: str, kind: PartyKind) -> Party:
    party = parties.party_by_name(connection, name)
    if party.kind is not kind:
        raise Invalid(f"{name!r} is no {kind}; data go from a clinic to a reviewer", at=kind)
    return party


def _check(new: NewTransfer, clinic: Party, recipient: Party) -> None:
    if not 0 < len(new.reference.strip()) <= _LONGEST_REFERENCE:
        raise Invalid(f"say in 1 to {_LONGEST_REFERENCE} characters where a person finds it", at="reference")
    if clinic.country == recipient.country:
        raise Invalid(f"both are in {clinic.country}: nothing is needed", at="to")
    if why := why_unfit(new.kind, clinic.country, recipient.country):
        raise Invalid(why, at="kind")


def _changed(connection: Connection, record: TransferRecord, action: str, actor: str, now: datetime) -> None:
    """Leave an audit row, and decide anew on what the recipient may still get of the clinic's cases."""
    details = {"from": record.clinic_id, "to": record.recipient_id, "kind": str(record.kind)}
    audit.record(connection, at=now, actor=actor, action=action, subject=f"transfer/{record.id}", details=details)
    for case in cases.undecided(connection, record.recipient_id, clinic_id=record.clinic_id):
        redecide_case(connection, cases.lock(connection, case.id), stage=_STAGE, now=now)
