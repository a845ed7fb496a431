"""The grant of a read: each item of an answer to another party is decided on, and committed before it leaves.

One transaction locks the cases, puts together anew what was asked for, decides on every item, records each decision
with the consents it rests on, and commits a grant for the very bytes of what is permitted: that commit is the
disclosure, wholly before a revocation or after it, and so is what a label or an order says by then.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.caller import Caller
from gateway.domain.consent import Outcome
from gateway.domain.consent.vocabulary import FLOW_PURPOSES
from gateway.domain.delivery import Flow, ReadGrant
from gateway.domain.errors import NotYet, Transient
from gateway.domain.ids import new_id
from gateway.domain.record import Case
from gateway.services.consents import Disclosure, Ground, Recorded, decide_and_record, ground_of
from gateway.services.disclosure import transfer_used
from gateway.services.hindrances import is_over_for
from gateway.services.restore_hold import require_resumed
from gateway.services.review_view import Viewed
from gateway.store import audit, cases, parties, reads, reviews
from gateway.store.engine import Database

FLOW = Flow.DISCLOSE_TO_REVIEWER
View = Callable[[Connection, Set[str]], list[Viewed]]
"""Puts together what is asked for, as it is in a transaction, of these ids."""
NOT_NOW = "whether this may be shown cannot be told at present; ask again later"
"""It says no more: a clinic's name and its troubles are not the reviewer's."""


@dataclass(frozen=True)
class Reading:
    """What the reviewer's view is read with; `pseudonym_key` is what the pseudonymous UIDs are made with."""

    database: Database
    now: Callable[[], datetime]
    pseudonym_key: bytes = field(repr=False)


def granted(reading: Reading, caller: Caller, asked: Sequence[Viewed], view: View) -> list[Viewed]:
    """Decide on each as it is now and commit what was decided; gives what may be shown.

    What is no longer asked for, or is another's by now, is left out. Raises Transient where one is not known.
    """
    with reading.database.write("fhir.disclose") as connection:
        now, grounds = reading.now(), _locked(connection, caller, asked)
        known = [one for one in view(connection, {one.id for one in asked}) if one.case.id in grounds]
        decided = [(one, _decided(connection, caller, one, grounds[one.case.id], now)) for one in known]
        is_known = all(recorded.decision.outcome is not Outcome.INDETERMINATE for _, recorded in decided)
        for one, recorded in decided:
            if recorded.is_denied:
                _record(connection, caller, one, recorded, reads.DENIED, now)
            elif is_known:
                _disclose(connection, caller, one, recorded, now)
    if not is_known:
        raise Transient(NOT_NOW)
    return [one for one, recorded in decided if recorded.is_permit]


def _locked(connection: Connection, caller: Caller, asked: Sequence[Viewed]) -> dict[str, Ground]:
    """By the id of each case that is still this reviewer's and open, its ground; its row is locked from now on."""
    grounds = {}
    for case in sorted({one.case for one in asked}, key=lambda case: (-case.created_at.timestamp(), case.id)):
        locked = cases.lock(connection, case.id)
        if not is_over_for(locked, FLOW) and locked.reviewer_id == caller.party.id:
            require_shown(connection, locked)
            grounds[case.id] = ground_of(connection, locked)
    return grounds


def require_shown(connection: Connection, case: Case) -> None:
    """Raise Transient while nothing of the case's clinic may leave."""
    try:
        require_resumed(parties.party_by_id(connection, case.clinic_id))
    except NotYet as exc:
        raise Transient(NOT_NOW) from exc


def _decided(connection: Connection, caller: Caller, one: Viewed, ground: Ground, now: datetime) -> Recorded:
    return decide_and_record(
        connection,
        one.case,
        ground,
        Disclosure(FLOW, caller.party, (one.item,), one.sha256),
        stage="read",
        delivery_id=None,
        now=now,
    )


def _disclose(connection: Connection, caller: Caller, one: Viewed, recorded: Recorded, now: datetime) -> None:
    grant = ReadGrant(new_id(), one.case.id, caller.party.id, caller.client_id, one.name, one.sha256, now)
    reviews.add_read_grant(connection, grant, decision_id=recorded.id)
    _record(connection, caller, one, recorded, reads.GRANTED, now, grant=grant.id)


def _record(
    connection: Connection,
    caller: Caller,
    one: Viewed,
    recorded: Recorded,
    action: str,
    now: datetime,
    **more: str,
) -> None:
    """Who asked for what, and on which consents they got it or did not."""
    details = {
        "decision": recorded.id,
        "kind": one.name.partition("/")[0],
        "flow": str(FLOW),
        "to": caller.party.name,
        "party": caller.party.id,
        "purposes": sorted(FLOW_PURPOSES[FLOW]),
        "consents": [f"{used.id}/{used.version}" for used in recorded.decision.consents],
        **recorded.versions,
        "sha256": one.sha256,
        "address": caller.address,
        **transfer_used(recorded.decision),
    }
    audit.record(
        connection,
        at=now,
        actor=caller.client_id,
        action=action,
        outcome="denied" if recorded.is_denied else "success",
        case_id=one.case.id,
        subject=one.name,
        details=details | more,
    )
