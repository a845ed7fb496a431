"""Every case that does not move, and why."""

from dataclasses import dataclass
from datetime import datetime

from gateway.services.core import Core
from gateway.services.listing.names import party_names
from gateway.services.waits import waits_of
from gateway.store import cases

LOOKED_AT = 100
"""How many of the newest cases; `consilium case show` tells of any."""


@dataclass(frozen=True)
class Standstill:
    """One reason why a case waits."""

    case_id: str
    pseudonym: str
    clinic: str
    what: str
    since: datetime
    who: str


def standstills(core: Core) -> list[Standstill]:
    """What has waited longest first, of the newest `LOOKED_AT` cases."""
    with core.database.read() as connection:
        names = party_names(connection)
        found = [
            Standstill(case.id, case.pseudonym, names[case.clinic_id], wait.what, wait.since, wait.who)
            for case in cases.listed(connection, limit=LOOKED_AT)
            for wait in waits_of(connection, case)
        ]
    return sorted(found, key=lambda one: one.since)
