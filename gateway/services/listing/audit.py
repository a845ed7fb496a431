"""The audit rows of a case, and a walk over the chain of all."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.audit_proof import Anchor, Verification
from gateway.services.core import Core
from gateway.store import audit, audit_chain, cases


@dataclass(frozen=True)
class AuditLine:
    """One audit row as it was committed."""

    id: int
    at: datetime
    actor: str
    action: str
    outcome: str
    subject: str
    details: dict[str, object]


def audit_lines(core: Core, case_id: str, *, limit: int) -> list[AuditLine]:
    """Newest first. Raises NotFound (the case)."""
    with core.database.read() as connection:
        cases.by_id(connection, case_id)
        rows = audit.newest_of_case(connection, case_id, limit)
    return [
        AuditLine(row.id, row.at, row.actor, row.action, row.outcome, row.subject, dict(row.details)) for row in rows
    ]


def sealed_rows(core: Core) -> int:
    """How long the chain is."""
    with core.database.read() as connection:
        return audit_chain.length(connection)


def verified_audit(core: Core, advance: Callable[[int], None], anchors: Collection[Anchor] = ()) -> Verification:
    """A walk over the whole chain; `advance` hears of each part how many rows it had."""
    with core.database.read() as connection:
        return audit_chain.verify(connection, advance, anchors)
