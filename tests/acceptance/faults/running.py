"""One schedule from its first step to the invariants, in a town that is opened anew after a failure or for a change."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.acceptance.faults import invariants
from tests.acceptance.faults.inflicting import Trouble
from tests.acceptance.faults.journey import Journey
from tests.acceptance.faults.schedule import STEPS, Schedule
from tests.acceptance.faults.town import Town, open_town

_SCHEDULES_A_TOWN = 50
"""The invariants look at everything that is there: a town that is never left becomes slow."""


class Towns:
    """Gives the town of a setting for one schedule after the other."""

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
        self._used += 1
        return self._town

    def leave(self) -> None:
        """End everything in it."""
        if self._stack is not None:
            self._stack.close()
        self._stack = self._town = None

    def run(self, schedule: Schedule) -> None:
        """All of it; a failure carries the schedule and the command that runs it again, and what the programs wrote."""
        town = self.town()
        try:
            run(town, schedule)
        except BaseException as failure:
            failure.add_note(schedule.told())
            failure.add_note(f"--- the programs wrote:\n{town.gateway.logs()[-6000:]}")
            self.leave()
            raise


@contextmanager
def towns(folder: Path, setting: str) -> Iterator[Towns]:
    """Left at the end."""
    opened = Towns(folder, setting)
    try:
        yield opened
    finally:
        opened.leave()


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
    invariants.hold(town, journeys)
