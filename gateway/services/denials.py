"""Whoever was turned away leaves an audit row, with what is known of them and of what they asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.domain.addresses import check_ae_title
from gateway.domain.caller import Caller
from gateway.domain.errors import Invalid
from gateway.domain.ids import OWN_ID
from gateway.domain.party import Endpoint
from gateway.services.event_ids import EVENT_ID
from gateway.services.resource_rules import READABLE
from gateway.store import audit, parties
from gateway.store.engine import Database

EDGE, NODE = "web", "dicom-node"


@dataclass(frozen=True)
class Denial:
    """`reason` is a code of ours. `actor` has shown to be it; else `subject` is the client that was named.

    `outcome` is `failure` for what a client may do and did wrong. `more` are details in codes and words of ours.
    """

    action: str
    reason: str
    address: str
    subject: str = ""
    actor: str = EDGE
    party: str = ""
    outcome: str = "denied"
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counted_as(self) -> str:
        """By whom denials are counted: a client or a person that is known, an address else."""
        return self.actor if self.is_known else self.address

    @property
    def is_known(self) -> bool:
        """Whether it is somebody who has shown who they are."""
        return self.actor not in (EDGE, NODE)


def of_caller(caller: Caller, *, reason: str, resource_type: str, resource_id: str = "") -> Denial:
    """A known client asked for what it may not have, or for what is not there.

    What is no type, or no id of this gateway's making, is left out: a client may ask for a patient by a number of
    another system.
    """
    known_type = resource_type if resource_type in READABLE else ""
    is_own = known_type and (EVENT_ID if known_type == "AuditEvent" else OWN_ID).fullmatch(resource_id)
    subject = f"{known_type}/{resource_id}" if is_own else known_type
    return Denial("fhir.denied", reason, caller.address, subject, caller.client_id, caller.party.id)


def of_write(caller: Caller, *, interaction: str, status: int, resource_type: str, at: str) -> Denial:
    """What a known client wanted stored was not taken. Nothing that it sent is kept: `at` is a path in words of R4."""
    known_type = resource_type if resource_type in READABLE else ""
    more = {"interaction": interaction, "status": status} | ({"at": at} if at else {})
    return Denial(
        "fhir.refused", "refused", caller.address, known_type, caller.client_id, caller.party.id, "failure", more
    )


def record_denial(database: Database, denial: Denial, *, now: datetime) -> None:
    """In a transaction of its own, before the refusal is answered."""
    party = {"party": denial.party} if denial.party else {}
    with database.write("access.deny") as connection:
        audit.record(
            connection,
            at=now,
            actor=denial.actor,
            action=denial.action,
            outcome=denial.outcome,
            subject=denial.subject,
            details={"reason": denial.reason, "address": denial.address, **party, **denial.more},
        )


def record_association_denial(
    database: Database, *, reason: str, address: str, calling_ae_title: str, now: datetime
) -> None:
    """A DICOM caller was not let in. What a stranger calls itself is not kept: it could be anything.

    An AE title proves nothing: the endpoint is the one that is registered under it, not who called.
    """
    caller = _registered(database, calling_ae_title)
    subject = f"endpoint/{caller.id}" if caller else "association"
    record_denial(database, Denial("dicom.denied", reason, address, subject, NODE), now=now)


def _registered(database: Database, calling_ae_title: str) -> Endpoint | None:
    try:
        ae_title = check_ae_title(calling_ae_title)
    except Invalid:
        return None
    with database.read() as connection:
        return parties.pacs_by_ae_title(connection, ae_title)
