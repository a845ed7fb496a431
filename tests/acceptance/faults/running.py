"""Schedules from their first step to the invariants, in towns side by side.

A town is opened anew after a failure, and when it has seen many schedules.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.acceptance.faults import invariants
from tests.acceptance.faults.inflicting import Trouble
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.schedule import DISTRIBUTED, EMBEDDED, STEPS, Schedule
from tests.acceptance.faults.town import Town, open_town

_TOWNS = {EMBEDDED: 2, DISTRIBUTED: 1}
"""Unless TOWNS says how many. The servers of a distributed one take longer to start than several schedules."""

_SCHEDULES_A_TOWN = 100
"""The invariants look at everything that is there: a town that is never left becomes slow."""


class Place:
    """Where the town of a setting is, for one schedule after the other."""

    def __init__(self, folder: Path, setting: str) -> None:
        self._folder, self._setting = folder, setting
        self._stack: ExitStack | None = None
        self._town: Town | None = None
        self._used = 0

    def town(self) -> Town:
        """The present one, or a new one when that was left."""
        if self._used >= _SCHEDULES_A_TOWN:
            self.leave()
        if self._town is None:
            self._stack = ExitStack()
            self._town = self._stack.enter_context(open_town(self._folder / uuid.uuid4().hex[:6], self._setting))
            self._used = 0
        return self._town

    def leave(self) -> None:
        """End everything in it."""
        if self._stack is not None:
            self._stack.close()
        self._stack = self._town = None

    def run(self, schedule: Schedule) -> None:
        """All of it; a failure carries the schedule and the command that runs it again, and what the programs wrote."""
        town = self.town()
        self._used += 1
        try:
            run(town, schedule)
        except BaseException as failure:
            failure.add_note(schedule.told())
            failure.add_note(f"--- the programs wrote:\n{town.gateway.logs()[-6000:]}")
            self.leave()
            raise


class Region:
    """Some towns side by side, which share out the schedules in their order."""

    def __init__(self, folder: Path, setting: str, number: int) -> None:
        self.setting = setting
        self._places = [Place(folder / str(index), setting) for index in range(number)]
        self._free = SimpleQueue[Place]()
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="town")
        self._runs: dict[Schedule, Future[None]] = {}

    def begin(self, schedules: Sequence[Schedule]) -> None:
        """Open the towns, here, where pytest does not change the output that commands are tried with, and go on."""
        for place in self._places:
            place.town()
            self._free.put(place)
        self._runs = {schedule: self._threads.submit(self._run, schedule) for schedule in schedules}

    def run(self, schedule: Schedule) -> None:
        """Wait until it has ended. Raises what it raised."""
        self._runs[schedule].result()

    def leave(self) -> None:
        """What runs comes to its end, the rest is not begun, and every town is left."""
        self._threads.shutdown(cancel_futures=True)
        for place in self._places:
            place.leave()

    def _run(self, schedule: Schedule) -> None:
        place = self._free.get()
        try:
            place.run(schedule)
        finally:
            self._free.put(place)


@contextmanager
def region(folder: Path, setting: str, schedules: Sequence[Schedule]) -> Iterator[Region]:
    """Begun, and left at the end."""
    opened = Region(folder, setting, min(int(os.environ.get("TOWNS") or _TOWNS[setting]), len(schedules)))
    try:
        opened.begin(schedules)
        yield opened
    finally:
        opened.leave()


def asked_for(request: pytest.FixtureRequest, parameter: str) -> list[Any]:
    """What the tests of the requesting module that this run takes have as that parameter, in their order."""
    items = [one for one in request.session.items if isinstance(one, pytest.Function) and one.path == request.path]
    return [one.callspec.params[parameter] for one in items if hasattr(one, "callspec")]


def run(town: Town, schedule: Schedule) -> None:
    """The journey of its cases, step by step, and the faults as they are due; then what has to hold."""
    journeys = [Journey(town, town.gateway.folder / "files") for _ in range(schedule.cases)]
    trouble = Trouble(town, journeys)
    try:
        for step in STEPS:
            for fault in schedule.faults:
                if fault.step == step:
                    trouble.begin(fault)
            for journey in journeys:
                journey.take(step)
    finally:
        trouble.end()
    town.rest()
    invariants.hold(town, journeys, schedule.faults)
