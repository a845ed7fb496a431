"""After a restore nothing of a clinic's cases leaves until a person says that the clinic has sent again.

A consent that was taken back since the backup still permits here. Whether there is one, only the clinic knows.
"""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.errors import NotYet
from gateway.domain.party import Party, PartyKind
from gateway.domain.record import Case
from gateway.domain.story import ADMINISTRATOR, Wait
from gateway.store import parties

_WHY = "to send again what it has sent since the backup that this gateway came from, revoked consents first"


def require_resumed(clinic: Party) -> None:
    """Raise NotYet while nothing of the clinic's cases may leave: asked before every grant, and so of every exit."""
    if clinic.restored_at is not None:
        raise NotYet(f"the clinic {clinic.name} has {_WHY}; then {_remedy(clinic.name)}")


def restored_wait(connection: Connection, case: Case) -> Wait | None:
    """What everything that is to leave for the case waits for, if it does."""
    clinic = parties.party_by_id(connection, case.clinic_id)
    if clinic.restored_at is None:
        return None
    who = f"the clinic {clinic.name}, and then {ADMINISTRATOR}: {_remedy(clinic.name)}"
    return Wait(f"the clinic {clinic.name} {_WHY}", clinic.restored_at, who)


def held_back(connection: Connection) -> list[str]:
    """A sentence for each clinic of whose cases nothing leaves."""
    clinics = [one for one in parties.parties(connection, PartyKind.CLINIC) if one.restored_at is not None]
    return [
        f"nothing leaves for cases of {one.name} since the restore at {_minute(one.restored_at)}: once the clinic has "
        f"sent again what it has sent since the backup, run {_remedy(one.name)}"
        for one in clinics
    ]


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _remedy(clinic: str) -> str:
    return f"consilium backup resume {clinic}"
