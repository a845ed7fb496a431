"""Faults, done to the town: each begins some time after a step has begun, and is mended when it has lasted."""

import shutil
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from gateway.domain.delivery import Flow
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.schedule import Fault
from tests.acceptance.faults.town import Town
from tests.acceptance.faults.wire import Wire
from tests.peers.strict_ehr_script import lose, refuse, store_then_silence
from tests.peers.strict_pacs import OUT_OF_RESOURCES

_DAY = timedelta(days=1)
_SILENCE_S = 2.0  # longer than the gateway waits
_EHR_ANSWERS = {"500": refuse(500), "503": refuse(503), "lost": lose(201), "silence": store_then_silence(_SILENCE_S)}


class Trouble:
    """The faults of one schedule, each in a thread of its own; `end` waits for them and mends what they left."""

    def __init__(self, town: Town, journeys: Sequence[Journey]) -> None:
        self._town, self._journeys = town, journeys
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._restarting = threading.Lock()  # two faults that restart the same server take turns

    def begin(self, fault: Fault) -> None:
        """Let it happen when its delay has passed; one without a delay has happened when this returns."""
        if not fault.delay_s and not fault.lasts_s:
            self._inflict(fault)
            return
        self._threads.append(threading.Thread(target=self._happen, args=[fault], name=fault.kind, daemon=True))
        self._threads[-1].start()

    def end(self) -> None:
        """Everything has happened, is mended, and the programs run as usual. Raises what a fault could not do."""
        try:
            self._mend()
        finally:
            if self._failures:
                raise BaseExceptionGroup("a fault could not be done", self._failures)

    def _mend(self) -> None:
        for thread in self._threads:
            thread.join()
        for wire in self._town.wires.values():
            wire.mend()
        while self._town.ehr.script.next() is not None:
            pass
        self._town.pacs.forget_script()
        self._town.pacs.answer_after_s = 0
        self._town.keeper.calm_all()

    def _happen(self, fault: Fault) -> None:
        try:
            threading.Event().wait(fault.delay_s)
            self._inflict(fault)
        except BaseException as exc:  # noqa: BLE001 - the edge of a thread; `end` raises it
            self._failures.append(exc)

    def _inflict(self, fault: Fault) -> None:
        doing: dict[str, Callable[[Fault], None]] = {
            "kill-at-hook": lambda one: self._town.keeper.arm(one.what, one.how),
            "kill": lambda one: self._town.keeper.restart(one.what),
            "cut": lambda one: self._disturb(one, one.kind),
            "stall": lambda one: self._disturb(one, one.kind),
            "slow": lambda one: self._disturb(one, one.kind),
            "server-wire": lambda one: self._disturb(one, one.how),
            "ehr-answer": lambda one: self._town.ehr.script.add(_EHR_ANSWERS[one.how]),
            "pacs-answer": self._answer_badly,
            "disk-full": self._fill_disk,
            "no-space": self._limit_files,
            "clock-jump": lambda one: self._town.clock.advance(_DAY),
            "revoke": lambda one: self._journeys[0].revoke(Flow(one.what)),
            "wipe-broker": lambda one: self._wipe_broker(),
            "restart-database": lambda one: self._restart_database(),
        }
        doing[fault.kind](fault)

    def _disturb(self, fault: Fault, how: str) -> None:
        wire = self._town.wires[fault.what]
        {"cut": Wire.cut, "stall": Wire.stall, "slow": Wire.slow}[how](wire)
        threading.Event().wait(fault.lasts_s)
        wire.mend()

    def _answer_badly(self, fault: Fault) -> None:
        if fault.how == "full":
            self._town.pacs.script(OUT_OF_RESOURCES)
            return
        self._town.pacs.answer_after_s = _SILENCE_S
        threading.Event().wait(fault.lasts_s)
        self._town.pacs.answer_after_s = 0

    def _fill_disk(self, fault: Fault) -> None:
        """The reserve is larger than what is free: what a program does then is what it does on a full disk."""
        total = shutil.disk_usage(self._town.gateway.folder).total
        self._town.keeper.restart(fault.what, CONSILIUM_STORAGE__MIN_FREE_BYTES=str(2 * total))
        threading.Event().wait(fault.lasts_s)
        self._town.keeper.calm(fault.what)

    def _limit_files(self, fault: Fault) -> None:
        """Its disk takes no more, and says so in the middle of a write."""
        self._town.keeper.limit_files(fault.what, int(fault.how))
        threading.Event().wait(fault.lasts_s)
        self._town.keeper.limit_files(fault.what)

    def _wipe_broker(self) -> None:
        assert self._town.servers is not None
        broker = self._town.servers.broker
        with self._restarting:
            broker.kill()
            broker.wipe()
            broker.start()

    def _restart_database(self) -> None:
        assert self._town.servers is not None
        postgres = self._town.servers.postgres
        with self._restarting:
            postgres.crash()
            postgres.start()
