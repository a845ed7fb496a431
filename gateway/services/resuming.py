"""A person says that a clinic has sent again what a restored gateway had lost: its cases go on."""

from collections.abc import Sequence

from gateway.domain.errors import Conflict
from gateway.domain.party import PartyKind
from gateway.services.core import Core
from gateway.store import audit, outbox, parties


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
