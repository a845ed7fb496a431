"""How a consent is taken back while what it permits is on its way: where, who waits for whom, and who was first."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, get_ident

from gateway.domain import hooks
from gateway.store.engine import Database
from tests.integration.store.overlap import is_waiting
from tests.peers.processes import wait_until

Place = tuple[str, int]
"""A hook of the working thread, and for the how manieth time it is reached."""
START: Place = ("start", 0)
END: Place = ("end", 0)
"""Before the work begins, and after it has ended."""
_COMMITTING = "test.before_commit"
"""Who takes the consent back has everything done but to commit it."""
_GOLDEN = (3 - 5**0.5) / 2
"""Of the golden section the smaller part: its multiples modulo 1 are spread evenly, however many of them there are."""


class Kind(StrEnum):
    """What is on its way. Of `LASTING` each object has a grant of its own: the one before ran out."""

    IMAGES = "images"
    LASTING = "images, grants running out"
    DOCUMENT = "document"
    EHR = "report to EHR"
    PACS = "report to PACS"
    READ = "read"


class Outcome(StrEnum):
    """What had left when the consent was gone: nothing, a part, or all of it."""

    STOPPED = "stopped"
    CUT = "cut"
    THROUGH = "through"


@dataclass(frozen=True)
class Race:
    """Its number decides everything; `is_awaited`: who works stands still until the consent has been taken back.

    Else until that is about to be committed, so that the commit and the next step of the work are at once.
    """

    number: int
    kind: Kind
    place: Place
    is_awaited: bool
    is_given_again: bool

    @classmethod
    def of(cls, number: int, places: Mapping[Kind, Sequence[Place]]) -> "Race":
        """The first of a kind is not disturbed: it shows the places for all others."""
        lap, kind = number // len(Kind), list(Kind)[number % len(Kind)]
        spread = [START, *places.get(kind, ()), END]
        place = spread[int(lap * _GOLDEN % 1 * len(spread))] if lap else END
        chance = random.Random(number)  # the same race at every run
        return cls(number, kind, place, is_awaited=lap % 2 == 1, is_given_again=chance.random() < 0.3)

    @property
    def is_locking(self) -> bool:
        """Whether it begins inside a transaction: who waited for the other there might wait for ever."""
        return self.place[0].endswith("before_commit")

    @property
    def stands_still(self) -> bool:
        """Whether nothing can happen between what had been done and what is done without the consent."""
        return self.is_awaited and not self.is_locking

    @property
    def is_close(self) -> bool:
        """Whether the commit and the next step of the work are at once."""
        return not self.is_awaited and not self.is_locking and self.place != END


@dataclass
class Tally:
    """How the races ended, and where in the work they began."""

    outcomes: dict[Kind, Counter[Outcome]] = field(default_factory=lambda: {kind: Counter() for kind in Kind})
    places: dict[Kind, Counter[Place]] = field(default_factory=lambda: {kind: Counter() for kind in Kind})
    overtakings: Counter[str] = field(default_factory=Counter)
    """Of the races in which both went on at once: whether something was permitted while the consent was ending."""

    def count(self, race: Race, outcome: Outcome, *, has_gone_on: bool) -> None:
        """One more; `has_gone_on`: something was permitted while the consent was being taken back."""
        self.outcomes[race.kind][outcome] += 1
        self.places[race.kind][race.place] += 1
        if race.is_close and (has_gone_on or outcome is not Outcome.THROUGH):
            self.overtakings["sending" if has_gone_on else "revocation"] += 1


def overlap(race: Race, database: Database, work: Callable[[], object], revoke: Callable[[], None]) -> list[Place]:
    """Take the consent back when `work` comes to the race's place; gives the places that `work` came to.

    Raises AssertionError where it never came there.
    """
    begun, at_work, passed = list[Future[None]](), list[int](), list[Place]()
    reached, is_committing = Counter[str](), Event()
    with ThreadPoolExecutor(2) as pool:

        def meet(hook: str) -> None:
            if get_ident() not in at_work:
                if hook == _COMMITTING:
                    is_committing.set()
                return
            reached[hook] += 1
            passed.append((hook, reached[hook]))
            if passed[-1] == race.place:
                begin()

        def begin() -> None:
            begun.append(pool.submit(revoke))
            _wait(race, begun[0], is_committing, database)

        def working() -> None:
            if race.place == START:
                begin()
            at_work.append(get_ident())
            work()
            at_work.clear()
            if race.place == END:
                begun.append(pool.submit(revoke))

        hooks.observe(meet)
        try:
            pool.submit(working).result(timeout=60)
            assert begun, f"{race} never came to its place"
            begun[0].result(timeout=60)
        finally:
            hooks.forget(meet)
    return passed


def _wait(race: Race, revocation: Future[None], is_committing: Event, database: Database) -> None:
    if race.is_close:
        assert is_committing.wait(60)
    elif race.stands_still:
        revocation.result(timeout=60)
    else:
        wait_until(lambda: revocation.done() or is_waiting(database), timeout_s=30, waiting_for="the revocation")
