"""Whoever was turned away at the web leaves an audit row, with what is known of them and of what they asked for."""

import re
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.caller import Caller
from gateway.services.event_ids import EVENT_ID
from gateway.services.resource_rules import READABLE
from gateway.store import audit
from gateway.store.engine import Database

EDGE = "web"
_OWN_ID = re.compile(r"[a-z2-7]{16}")
"""Ids as this gateway makes them (`domain.ids`); those of audit rows are `EVENT_ID`."""


@dataclass(frozen=True)
class Denial:
    """`reason` is a code of ours. `actor` has shown to be it; else `subject` is the client that was named."""

    action: str
    reason: str
    address: str
    subject: str = ""
    actor: str = EDGE
    party: str = ""

    @property
    def counted_as(self) -> str:
        """By whom denials are counted: a client or a person that is known, an address else."""
        return self.actor if self.is_known else self.address

    @property
    def is_known(self) -> bool:
        """Whether it is somebody who has shown who they are."""
        return self.actor != EDGE


def of_caller(caller: Caller, *, reason: str, resource_type: str, resource_id: str = "") -> Denial:
    """A known client asked for what it may not have, or for what is not there.

    What is no type, or no id of this gateway's making, is left out: a client may ask for a patient by a number of
    another system.
    """
    known_type = resource_type if resource_type in READABLE else ""
    is_own = known_type and (EVENT_ID if known_type == "AuditEvent" else _OWN_ID).fullmatch(resource_id)
    subject = f"{known_type}/{resource_id}" if is_own else known_type
    return Denial("fhir.denied", reason, caller.address, subject, caller.client_id, caller.party.id)


def record_denial(database: Database, denial: Denial, *, now: datetime) -> None:
    """In a transaction of its own, before the refusal is answered."""
    party = {"party": denial.party} if denial.party else {}
    with database.write("access.deny") as connection:
        audit.record(
            connection,
            at=now,
            actor=denial.actor,
            action=denial.action,
            outcome="denied",
            subject=denial.subject,
            details={"reason": denial.reason, "address": denial.address, **party},
        )
