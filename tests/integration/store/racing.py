"""A consent is taken back while what it permits is on its way: one race after the other, each forced to overlap.

The order is the database's own, as far as it has one: a grant, an answer to a reader and a consent's new version write
an audit row under the lock of the case, so the rows' ids are the order of their commits. When an object or a request
begins is told by a counter of this process, against the moment at which the new version had been committed.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain import hooks
from gateway.domain.caller import Caller
from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow, Receipt
from gateway.domain.errors import NotFound
from gateway.domain.party import DicomAddress
from gateway.domain.record import Case, Delivery
from gateway.domain.work import Job, JobKind
from gateway.services import delivery as sending
from gateway.services import review, revocation
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.resources import store_internal
from gateway.services.review_grant import Reading
from gateway.services.sending import Permission, Sending
from gateway.services.work import Settlement, run_job
from gateway.store import audit, cases, deliveries, outbox, parties, recalls
from gateway.store.engine import Database
from tests.core import PSEUDONYM_KEY
from tests.grants import read_grants
from tests.integration.store.overlap import is_waiting
from tests.integration.store.ready import OBJECTS, Ready
from tests.peers.processes import wait_until
from tests.unit.gateway.services.scenery import DATA, Scenery, replace_client

IMAGES, REPORT, READ = "images", "report", "read"
KINDS = (IMAGES, REPORT, READ)
SENT = {IMAGES: DeliveryKind.STUDY_TO_REVIEWER, REPORT: DeliveryKind.REPORT_TO_EHR}
HOOKS = {
    IMAGES: ("job.claim.after_commit", "egress.grant.before_commit", "egress.grant.after_commit",
             "reviewer.before_send", "reviewer.after_send", "delivery.item.before_commit",
             "delivery.item.after_commit", "job.settle.before_commit", "job.settle.after_commit"),
    REPORT: ("job.claim.after_commit", "egress.grant.before_commit", "egress.grant.after_commit",
             "test.before_send", "test.after_send", "job.settle.before_commit", "job.settle.after_commit"),
    READ: ("fhir.disclose.before_commit", "fhir.disclose.after_commit"),
}  # fmt: skip
"""Where the consent is taken back, by what is on its way."""


@dataclass
class Told:
    """What happened in one race: of each object, request or answer when it was asked for and when it began.

    `revoked` is when the consent's new version had been committed.
    """

    ticks: Iterator[int] = field(default_factory=count)
    begun: list[tuple[int, int]] = field(default_factory=list)
    revoked: int | None = None
    asked: int = 0

    def ask(self) -> None:
        """Whether it may go is about to be asked."""
        self.asked = next(self.ticks)

    def begin(self) -> None:
        """It goes."""
        self.begun.append((self.asked, next(self.ticks)))


@dataclass(frozen=True)
class Race:
    """Its number decides everything: what is on its way, where the consent is taken back, and who waits for whom."""

    number: int
    kind: str
    hook: str
    turn: int
    is_awaited: bool
    is_given_again: bool

    @classmethod
    def of(cls, number: int) -> "Race":
        chance = random.Random(number)  # the same race at every run
        kind = KINDS[number % len(KINDS)]
        hook = chance.choice(HOOKS[kind])
        turn, is_awaited, is_given_again = chance.randint(1, OBJECTS), chance.random() < 0.5, chance.random() < 0.4
        return cls(number, kind, hook, turn, is_awaited, is_given_again)


class Node:
    """The reviewer's node: takes everything, has nothing when asked, and notes when each object and query began."""

    def __init__(self, told: "Told") -> None:
        self._told = told

    @contextmanager
    def open(self, address: DicomAddress, contexts: frozenset[tuple[str, str]]) -> "Iterator[Node]":
        yield self

    def send(self, _content: bytes) -> int:
        self._told.begin()
        return 0x0000

    def find_instances(
        self, address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> frozenset[str]:
        before_send()
        self._told.begin()
        return frozenset()


class Track:
    """One clinic and one reviewer; each race is about a patient of its own."""

    def __init__(self, database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scenery = Scenery(database, folder)
        self.core = self.scenery.core
        self.left = dict.fromkeys(KINDS, 0)
        self._close(self.scenery.case)
        self._told = Told()
        self._ready = Ready(self.scenery)
        with database.read() as connection:
            reviewer = parties.party_by_id(connection, "board")
        self._caller = Caller("board-client", reviewer)
        self._reading = Reading(database, self.scenery.clock, PSEUDONYM_KEY)
        monkeypatch.setattr(Permission, "require", self._asked(Permission.require))
        monkeypatch.setitem(sending.EXITS, DeliveryKind.REPORT_TO_EHR, self._request)

    def run(self, number: int) -> None:
        """Raises AssertionError where the race broke a rule; `left` counts what left before its consent had gone."""
        race, self._told = Race.of(number), Told()
        case = self._ready.case(number)
        consent = self._consent(race, case, status="active")
        delivery = None if race.kind == READ else self._ready.delivery(number, case, SENT[race.kind])
        work = partial(self._read, case) if delivery is None else partial(self._send, delivery)
        self._overlap(race, work, partial(self._consent, race, case, consent))
        self.left[race.kind] += len(self._told.begun)
        self._check_order(case)
        if delivery is None:
            self._check_read(case)
        else:
            self._check_delivery(delivery)
        if race.is_given_again:
            self._consent(race, case, consent, status="active")
            self._check_given_again(case, delivery)
        self._close(case)

    def _close(self, case: Case) -> None:
        """So that the reviewer's cases are those of the race."""
        with self.core.database.write("test") as connection:
            cases.close(connection, case.id, self.scenery.clock())

    def _overlap(self, race: Race, work: Callable[[], None], revoke: Callable[[], str]) -> None:
        """The consent is taken back when `work` comes to the race's hook for that turn, or after it."""
        pool, begun, turns = ThreadPoolExecutor(2), list[Future[str]](), count(1)
        at_work = list[int]()

        def meet(hook: str) -> None:
            if hook != race.hook or get_ident() not in at_work or begun or next(turns) < race.turn:
                return
            begun.append(pool.submit(revoke))
            if not race.is_awaited:
                return
            if hook.endswith("before_commit"):  # the case is locked: who waits for the other's end would wait for ever
                either = partial(self._is_done_or_waiting, begun[0])
                wait_until(either, timeout_s=30, waiting_for="the revocation")
            else:
                begun[0].result(timeout=60)

        def working() -> None:
            at_work.append(get_ident())
            work()

        hooks.observe(meet)
        try:
            pool.submit(working).result(timeout=60)
            (begun[0] if begun else pool.submit(revoke)).result(timeout=60)
        finally:
            hooks.forget(meet)
            pool.shutdown()

    def _is_done_or_waiting(self, begun: Future[str]) -> bool:
        return begun.done() or is_waiting(self.core.database)

    def _check_order(self, case: Case) -> None:
        """No grant was committed after the consent had gone, and nothing was asked for after it and still let out."""
        with self.core.database.read() as connection:
            rows = audit.of_case(connection, case.id, actions=["egress.granted", "read.granted", "consent.stored"])
        revoked = max(row.id for row in rows if row.action == "consent.stored")
        assert [row.id for row in rows if row.id > revoked] == []
        moment = self._told.revoked
        assert moment is not None
        assert [asked for asked, _ in self._told.begun if asked > moment] == []
        assert sum(begun > moment for _, begun in self._told.begun) <= 1

    def _check_delivery(self, delivery: Delivery) -> None:
        """What left is to be called back, what has not is held, and nothing hangs."""
        self._work_off(delivery)
        now = self.scenery.delivery(delivery.id)
        with self.core.database.read() as connection:
            notices = recalls.listed(connection, case_id=delivery.case_id)
            granted = deliveries.has_been_granted(connection, delivery.id)
        assert now.state is (DeliveryState.DELIVERED if len(self._told.begun) == OBJECTS else DeliveryState.HELD)
        assert bool(self._told.begun) <= granted
        assert [one.delivery_id for one in notices] == [delivery.id] * granted

    def _check_read(self, case: Case) -> None:
        """What was read is to be called back, once for all reads of the same."""
        with self.core.database.read() as connection:
            notices = recalls.listed(connection, case_id=case.id)
            granted = read_grants(connection, case.id)
        assert len(self._told.begun) <= len(granted)
        assert [one.read_grant_id for one in notices] == [one.id for one in granted[:1]]

    def _check_given_again(self, case: Case, delivery: Delivery | None) -> None:
        """Nothing is held that may go."""
        if delivery is None:
            assert review.read(self._reading, self._caller, "ServiceRequest", case.pseudonym).id == case.pseudonym
            with self.core.database.read() as connection:
                assert recalls.listed(connection, case_id=case.id) == []
            return
        self._work_off(delivery)
        assert self.scenery.delivery(delivery.id).state is DeliveryState.DELIVERED

    def _send(self, delivery: Delivery) -> None:
        never: Any = None
        node = Node(self._told)
        outside = Outside(node.open, never, never, node.find_instances, never, never, look_again_after_s=0)
        with self.core.database.read() as connection:
            row = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
        if row is not None:
            run_job(self.core, row.id, {JobKind.DELIVERY_SEND: partial(_sent, self.core, outside)})

    def _work_off(self, delivery: Delivery) -> None:
        """Do what is due of it, an hour later each time, until there is nothing to do."""
        for _ in range(4):
            self.scenery.clock.forward(hours=1)
            self._send(delivery)

    def _request(self, core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        """The exit to an EHR, as far as permission goes: a search, a create, and reading it back."""
        for _ in range(OBJECTS):
            attempt.permission.require(attempt.delivery.payload_sha256)
            hooks.reach("test.before_send")
            self._told.begin()
            hooks.reach("test.after_send")
        return Receipt(core.now(), "HTTP 201", "DiagnosticReport/1", attempt.delivery.payload_sha256)

    def _read(self, case: Case) -> None:
        for _ in range(OBJECTS):
            self._told.ask()
            with suppress(NotFound):
                review.read(self._reading, self._caller, "ServiceRequest", case.pseudonym)
                self._told.begin()

    def _asked(self, require: Callable[[Permission, str], None]) -> Callable[[Permission, str], None]:
        def asked(permission: Permission, payload: str) -> None:
            self._told.ask()
            require(permission, payload)

        return asked

    def _consent(self, race: Race, case: Case, of: str = "", status: str = "inactive") -> str:
        flow = Flow.RETURN_TO_CLINIC if race.kind == REPORT else Flow.DISCLOSE_TO_REVIEWER
        content = demo.consent(DATA, flow, f"Patient/{case.patient_id}", status) | ({"id": of} if of else {})
        with self.core.database.write("test") as connection:
            stored = store_internal(connection, "ankara", content, now=self.scenery.clock())
            revocation.consent_stored(connection, replace_client(stored))
        if status == "inactive":
            self._told.revoked = next(self._told.ticks)
        return stored.id


def _sent(core: Core, outside: Outside, job: Job) -> Settlement | None:
    return sending.send(core, job, outside=outside)
