"""After a restore nothing of a clinic's cases leaves until a person says that the clinic has sent again.

A consent that was taken back since the backup still permits here. Whether there is one, only the clinic knows.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.errors import Conflict, NotYet
from gateway.domain.moments import utc_in_words
from gateway.domain.party import Party, PartyKind
from gateway.domain.record import Case
from gateway.domain.story import ADMINISTRATOR, Wait
from gateway.services.core import Core
from gateway.store import audit, outbox, parties

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


def resume(core: Core, names: Sequence[str], *, actor: str) -> list[str]:
    """Let what waits leave for the cases of these clinics, of all of them without a name; gives their names.

    Consent is decided anew for each delivery. Raises NotFound, and Conflict where nothing is held back; nothing changes
    then.
    """
    with core.database.write("backup.resume") as connection:
        now, waiting = core.now(), [one for one in parties.parties(connection, PartyKind.CLINIC) if one.restored_at]
        clinics = [parties.party_by_name(connection, name) for name in names] or waiting
        idle = [one.name for one in clinics if one not in waiting]
        if idle or not clinics:
            raise Conflict(f"nothing is held back since a restore{f' of {idle[0]}' if idle else ''}")
        for clinic in clinics:
            parties.set_resumed(connection, clinic.id)
            outbox.let_go_on(connection, clinic.id, now=now)
            audit.record(connection, at=now, actor=actor, action="backup.resumed", subject=f"party/{clinic.id}")
    return [one.name for one in clinics]


def _minute(moment: datetime | None) -> str:
    return utc_in_words(moment, to_the="minute") if moment else "a time that is not known"


def _remedy(clinic: str) -> str:
    return f"consilium backup resume {clinic}"
