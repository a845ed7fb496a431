"""What keeps everything of a case from leaving on one flow, whatever the consents say: asked at the exits, and told."""

from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from gateway.domain.case import CaseState
from gateway.domain.delivery import Flow, Hindrance
from gateway.domain.record import Case
from gateway.services.restore_hold import restored_wait
from gateway.store import parties

CLOSED_CASE, RESTORED = "closed-case", "restored"


def is_over_for(case: Case, flow: Flow) -> bool:
    """Nothing of a closed case goes to the reviewer; a report still goes back."""
    return case.state is not CaseState.OPEN and flow is Flow.DISCLOSE_TO_REVIEWER


def hindrances(connection: Connection, case: Case, flow: Flow) -> tuple[Hindrance, ...]:
    """As they are now; none where the consents alone decide."""
    return tuple(filter(None, (_closed(connection, case, flow), _restored(connection, case))))


def _closed(connection: Connection, case: Case, flow: Flow) -> Hindrance | None:
    if not is_over_for(case, flow):
        return None
    zone = ZoneInfo(parties.party_by_id(connection, case.clinic_id).time_zone)
    since = f" since {case.closed_at.astimezone(zone).isoformat()}" if case.closed_at else ""
    return Hindrance(CLOSED_CASE, f"the case is closed{since}: nothing goes to the reviewer any more")


def _restored(connection: Connection, case: Case) -> Hindrance | None:
    wait = restored_wait(connection, case)
    return None if wait is None else Hindrance(RESTORED, f"the gateway came from a backup; {wait.what}")
