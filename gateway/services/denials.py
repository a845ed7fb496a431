"""Whoever was turned away at the web leaves an audit row, with what is known of it."""

from dataclasses import dataclass
from datetime import datetime

from gateway.store import audit
from gateway.store.engine import Database

EDGE = "web"


@dataclass(frozen=True)
class Denial:
    """`reason` is a code of ours, `client_id` is of a registered client: said, or with `is_proven` shown to be so."""

    action: str
    reason: str
    address: str
    client_id: str = ""
    is_proven: bool = False


def record_denial(database: Database, denial: Denial, *, now: datetime) -> None:
    """In a transaction of its own, before the refusal is answered."""
    with database.write("access.deny") as connection:
        audit.record(
            connection,
            at=now,
            actor=denial.client_id if denial.is_proven else EDGE,
            action=denial.action,
            outcome="denied",
            subject=denial.client_id,
            details={"reason": denial.reason, "address": denial.address},
        )
