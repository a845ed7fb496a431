"""A client that asked for what it may not have, or for what is not there, leaves an audit row that says for what."""

import re
from datetime import datetime

from gateway.domain.caller import Caller
from gateway.services.resource_rules import READABLE
from gateway.store import audit
from gateway.store.engine import Database

_OWN_ID = re.compile(r"[a-z2-7]{16}|[0-9]{1,18}")
"""Ids as this gateway makes them (`domain.ids`), and those of audit rows."""


def record_refusal(
    database: Database, caller: Caller, *, reason: str, resource_type: str, resource_id: str, now: datetime
) -> None:
    """In a transaction of its own, before the refusal is answered.

    What is no type, or no id of this gateway's making, is left out: a client may ask for a patient by a number of
    another system.
    """
    known_type = resource_type if resource_type in READABLE else ""
    is_own = known_type and _OWN_ID.fullmatch(resource_id) and (known_type == "AuditEvent") == resource_id.isdigit()
    with database.write("access.refuse") as connection:
        audit.record(
            connection,
            at=now,
            actor=caller.client_id,
            action="fhir.denied",
            outcome="denied",
            subject=f"{known_type}/{resource_id}" if is_own else known_type,
            details={"reason": reason, "party": caller.party.id, "address": caller.address},
        )
