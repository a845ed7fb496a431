"""A legal hold: nothing of the case is destroyed while it stands, whatever the settings say."""

from gateway.domain.errors import Conflict
from gateway.services.core import Core
from gateway.store import audit, cases


def hold(core: Core, case_id: str, *, reason: str, actor: str) -> None:
    """Keep everything that is still there. Raises NotFound, and Conflict when it is held or destroyed already."""
    with core.database.write("case.hold") as connection:
        case, now = cases.lock(connection, case_id), core.now()
        if case.legal_hold is not None:
            raise Conflict(f"case {case_id} is held already: {case.legal_hold}")
        if case.destroyed_at is not None:
            raise Conflict(f"the content of case {case_id} was destroyed")
        cases.set_legal_hold(connection, case_id, reason)
        details = {"status": "held", "reason": reason}
        audit.record_of_case(connection, case_id, "case.hold", at=now, actor=actor, details=details)


def unhold(core: Core, case_id: str, *, actor: str) -> None:
    """The settings count again. Raises NotFound, and Conflict when no hold stands."""
    with core.database.write("case.unhold") as connection:
        case, now = cases.lock(connection, case_id), core.now()
        if case.legal_hold is None:
            raise Conflict(f"case {case_id} is not held")
        cases.set_legal_hold(connection, case_id, None)
        audit.record_of_case(connection, case_id, "case.unhold", at=now, actor=actor)
