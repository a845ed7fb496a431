"""The track of the races between sending and revoking, and what has to hold after each of them.

What left is what arrived: requests at an EHR, objects and queries at an archive, answers in a reader's hands. The order
of grants and the consent's end is the database's own: each writes an audit row under the lock of the case, so the rows'
ids are the order of their commits.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from gateway.demo import resources as demo
from gateway.domain import hooks
from gateway.domain.caller import Caller
from gateway.domain.delivery import GRANT_LIFETIME, DeliveryKind, DeliveryState, Flow
from gateway.domain.errors import NotFound
from gateway.domain.record import Case, Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services import review, revocation
from gateway.services.resources import store_internal
from gateway.services.review_grant import Reading
from gateway.services.sending import Leave, Permission
from gateway.services.work import run_job
from gateway.store import audit, cases, deliveries, outbox, parties, recalls
from gateway.store.engine import Database
from tests.core import PSEUDONYM_KEY
from tests.grants import read_grants
from tests.integration.store.raced_destinations import Destinations
from tests.integration.store.racing import Kind, Outcome, Place, Race, Tally, overlap
from tests.integration.store.ready import OBJECTS, Ready
from tests.unit.gateway.services.scenery import DATA, Scenery, replace_client

_SENT = {
    Kind.IMAGES: DeliveryKind.STUDY_TO_REVIEWER,
    Kind.LASTING: DeliveryKind.STUDY_TO_REVIEWER,
    Kind.DOCUMENT: DeliveryKind.DOCUMENT_TO_REVIEWER,
    Kind.EHR: DeliveryKind.REPORT_TO_EHR,
    Kind.PACS: DeliveryKind.REPORT_TO_PACS,
}
_COPIES = {Kind.IMAGES: OBJECTS, Kind.LASTING: OBJECTS, Kind.DOCUMENT: 1, Kind.EHR: 1, Kind.PACS: 1}
"""What there is at the destination in the end."""
_WHOLE = _COPIES | {Kind.EHR: 3, Kind.PACS: 2, Kind.READ: OBJECTS}
"""How much has to leave until it is delivered.

To the EHR: the search for the patient, the create, and the look at what it stored; to the PACS: the search for the
study, and the object, which is taken for stored where the PACS may not be asked again.
"""

_ATTEMPTS = 4


@dataclass(frozen=True)
class Seen:
    """How far the sending has come: permissions asked for, permissions given, and what arrived."""

    asked: int
    given: int
    arrived: int


class Track:
    """One clinic and one reviewer; each race is about a patient of its own."""

    def __init__(
        self, database: Database, folder: Path, destinations: Destinations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.tally = Tally()
        self._scenery, self._destinations = Scenery(database, folder), destinations
        self._core, self._clock = self._scenery.core, self._scenery.clock
        self._outside = destinations.outside(self._clock, folder)
        self._ready = Ready(self._scenery, destinations)
        self._places: dict[Kind, list[Place]] = {}
        self._asked = self._given = 0
        with database.read() as connection:
            self._caller = Caller("board-client", parties.party_by_id(connection, "board"))
        self._reading = Reading(database, self._clock, PSEUDONYM_KEY)
        self._close(self._scenery.case)
        monkeypatch.setattr(Permission, "ask", self._counted(Permission.ask))

    def run(self, number: int) -> None:
        """Raises AssertionError where the race broke a rule."""
        self._race = Race.of(number, self._places)
        self._destinations.forget()
        self._asked = self._given = 0
        try:
            self._run(self._race)
        except AssertionError as exc:
            exc.add_note(f"--- {self._race}, at last {self._seen()}")
            raise

    def _run(self, race: Race) -> None:
        case = self._ready.case(race.number)
        consent = self._consent(case, status="active")
        delivery = None if race.kind is Kind.READ else self._ready.delivery(race.number, case, _SENT[race.kind])
        work = partial(self._read, case) if delivery is None else partial(self._send, delivery)
        passed = overlap(race, self._core.database, work, partial(self._revoke, case, consent))
        self._places.setdefault(race.kind, passed)
        outcome = self._check_order(case)
        if delivery is None:
            self._check_read(case)
        else:
            self._check_delivery(delivery, outcome)
        if race.is_given_again:
            self._consent(case, consent, status="active")
            self._check_given_again(case, delivery)
        self._close(case)

    def _check_order(self, case: Case) -> Outcome:
        """No grant was committed after the consent had gone, and nothing began after it."""
        with self._core.database.read() as connection:
            rows = audit.of_case(connection, case.id, actions=["egress.granted", "read.granted", "consent.stored"])
        revoked = max(row.id for row in rows if row.action == "consent.stored")
        assert [row.id for row in rows if row.id > revoked] == []
        before, after, now = self._before, self._after, self._seen()
        assert now.arrived == now.given  # nothing comes without a permission, and nothing that came is overlooked
        assert now.arrived <= after.asked
        assert now.arrived - after.arrived <= 1  # what is on the wire goes on
        if self._race.stands_still:  # who was let go on goes on, and nobody else
            assert before.given <= now.arrived <= before.asked
        outcome = Outcome.STOPPED if not now.arrived else Outcome.CUT
        outcome = Outcome.THROUGH if now.arrived >= _WHOLE[self._race.kind] else outcome
        self.tally.count(self._race, outcome, has_gone_on=after.given > before.given)
        return outcome

    def _check_delivery(self, delivery: Delivery, outcome: Outcome) -> None:
        """What left is to be called back, what has not is held, and nothing more leaves however often it is tried."""
        left = self._seen().arrived
        self._work_off(delivery)
        assert self._seen().arrived == left
        with self._core.database.read() as connection:
            notices = recalls.listed(connection, case_id=delivery.case_id)
            granted = deliveries.has_been_granted(connection, delivery.id)
        is_through = outcome is Outcome.THROUGH
        assert self._state(delivery) is (DeliveryState.DELIVERED if is_through else DeliveryState.HELD)
        assert bool(left) <= granted
        assert [one.delivery_id for one in notices] == [delivery.id] * granted

    def _check_read(self, case: Case) -> None:
        """What was read is to be called back, once for all reads of the same."""
        with self._core.database.read() as connection:
            notices = recalls.listed(connection, case_id=case.id)
            granted = read_grants(connection, case.id)
        assert self._seen().arrived <= len(granted)
        assert [one.read_grant_id for one in notices] == [one.id for one in granted[:1]]

    def _check_given_again(self, case: Case, delivery: Delivery | None) -> None:
        """Nothing is held that may go, and what had arrived does not come twice."""
        if delivery is None:
            assert review.read(self._reading, self._caller, "ServiceRequest", case.pseudonym).id == case.pseudonym
            with self._core.database.read() as connection:
                assert recalls.listed(connection, case_id=case.id) == []
            return
        self._work_off(delivery)
        assert self._state(delivery) is DeliveryState.DELIVERED
        copies = _COPIES[self._race.kind]
        assert (self._destinations.stored(), self._destinations.held()) == (copies, copies)

    def _seen(self) -> Seen:
        arrived = self._given if self._race.kind is Kind.READ else self._destinations.arrived()
        return Seen(self._asked, self._given, arrived)

    def _state(self, delivery: Delivery) -> DeliveryState:
        return self._scenery.delivery(delivery.id).state

    def _close(self, case: Case) -> None:
        """So that the reviewer's cases are those of the race."""
        with self._core.database.write("test") as connection:
            cases.close(connection, case.id, self._clock())

    def _send(self, delivery: Delivery) -> bool:
        """One attempt; False where none is to be made."""
        with self._core.database.read() as connection:
            row = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
        send = partial(sending.send, self._core, outside=self._outside)
        return row is not None and run_job(self._core, row.id, {JobKind.DELIVERY_SEND: send})

    def _work_off(self, delivery: Delivery) -> None:
        """An hour passes before each attempt, until there is nothing to do."""
        for _ in range(_ATTEMPTS):
            self._clock.forward(hours=1)
            if not self._send(delivery):
                return
        raise AssertionError(f"still to be sent after {_ATTEMPTS} attempts")

    def _read(self, case: Case) -> None:
        for _ in range(OBJECTS):
            self._asked += 1
            with suppress(NotFound):
                review.read(self._reading, self._caller, "ServiceRequest", case.pseudonym)
                self._given += 1

    def _counted(self, ask: Callable[[Permission, str], Leave]) -> Callable[[Permission, str], Leave]:
        """Places of a race are also between the question and its answer, and between that and what it lets go."""

        def counted(permission: Permission, payload: str) -> Leave:
            if self._race.kind is Kind.LASTING:
                self._clock.forward(seconds=GRANT_LIFETIME.total_seconds())
            self._asked += 1
            leave = ask(permission, payload)

            def answered() -> None:
                hooks.reach("test.asked")
                leave()
                self._given += 1
                hooks.reach("test.permitted")

            return Leave(answered)

        return counted

    def _revoke(self, case: Case, consent: str) -> None:
        self._before = self._seen()
        self._consent(case, consent, status="inactive")
        self._after = self._seen()

    def _consent(self, case: Case, of: str = "", *, status: str) -> str:
        kind = self._race.kind
        flow = Flow.RETURN_TO_CLINIC if kind in (Kind.EHR, Kind.PACS) else Flow.DISCLOSE_TO_REVIEWER
        content = demo.consent(DATA, flow, f"Patient/{case.patient_id}", status) | ({"id": of} if of else {})
        with self._core.database.write("test") as connection:
            stored = store_internal(connection, "ankara", content, now=self._clock())
            revocation.consent_stored(connection, replace_client(stored))
        return stored.id
