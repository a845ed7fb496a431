"""Whoever was turned away leaves an audit row, with what is known of them and of what they asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.domain.addresses import check_ae_title
from gateway.domain.caller import Caller
from gateway.domain.errors import GatewayError, Invalid
from gateway.domain.party import Endpoint
from gateway.minute import Minute
from gateway.services.event_ids import EVENT_ID
from gateway.services.resource_rules import READABLE
from gateway.store import audit, parties
from gateway.store.engine import Database

EDGE, _NODE = "web", "dicom-node"
_OWN_ID = re.compile(r"[a-z2-7]{16}")
"""Ids as this gateway makes them (`domain.ids`); those of audit rows are `EVENT_ID`."""
_MOST_OF_ONE = 30
"""Refusals of one client or address that leave a row within a minute; the log of the edge has all of them."""
_MOST_IN_ALL = 120
_log = structlog.get_logger(__name__)


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
        return self.actor not in (EDGE, _NODE)


class DenialLimit:
    """How often those who are turned away leave a row, in one process: a flood must not fill the trail."""

    def __init__(self) -> None:
        self._minute = Minute()

    def leave(self, record: Callable[[], None], who: str, *, is_known: bool = False) -> None:
        """Have it recorded, as often as the rate of this client, person or address allows.

        A refusal that cannot be recorded stays one: nothing was shown.
        """
        if not self.is_recorded(who, is_known=is_known):
            return
        try:
            record()
        except GatewayError as exc:
            _log.warning("refusal unrecorded", reason=type(exc).__name__)

    def is_recorded(self, who: str, *, is_known: bool) -> bool:
        """Whether one more is to leave a row. What strangers do uses up nothing of what is kept for the known."""
        kind = "known" if is_known else "stranger"
        return self._minute.count(_MOST_OF_ONE, kind, who) and self._minute.count(_MOST_IN_ALL, kind)


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


def record_association_denial(
    database: Database, *, reason: str, address: str, calling_ae_title: str, now: datetime
) -> None:
    """A DICOM caller was not let in. What a stranger calls itself is not kept: it could be anything.

    An AE title proves nothing: the endpoint is the one that is registered under it, not who called.
    """
    caller = _registered(database, calling_ae_title)
    subject = f"endpoint/{caller.id}" if caller else "association"
    record_denial(database, Denial("dicom.denied", reason, address, subject, _NODE), now=now)


def _registered(database: Database, calling_ae_title: str) -> Endpoint | None:
    try:
        ae_title = check_ae_title(calling_ae_title)
    except Invalid:
        return None
    with database.read() as connection:
        return parties.pacs_by_ae_title(connection, ae_title)
