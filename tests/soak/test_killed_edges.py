"""The web and the DICOM node are killed (SIGKILL) at each hook on the way in; who insists is heard, and once."""

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.running import Region, region
from tests.acceptance.faults.schedule import DISTRIBUTED, EMBEDDED, ROOT, Fault, Schedule
from tests.acceptance.kill_points import NOT_ON_THE_WAY, ON_THE_WAY_IN, hooks
from tests.hooks import hooks_of_program


def faults() -> Iterator[tuple[Fault, ...]]:
    """At each step the first hooks of all steps together, then the second ones: three kills a schedule."""
    killed = {
        step: [Fault("kill-at-hook", step, 0, program, hook) for hook in hooks(points)]
        for step, (program, points) in ON_THE_WAY_IN.items()
    }
    for index in range(max(map(len, killed.values()))):
        yield tuple(of_step[index] for of_step in killed.values() if index < len(of_step))


@pytest.fixture(scope="module", params=[EMBEDDED, DISTRIBUTED])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    schedules = [Schedule(request.param, 0, 1, killed) for killed in faults()]
    with region(tmp_path_factory.mktemp("edges"), request.param, schedules) as ready:
        yield ready


def test_the_hooks_are_those_of_the_programs() -> None:
    for program, points in ON_THE_WAY_IN.values():
        known = {(hook.name, hook.what) for hook in hooks_of_program(ROOT, program)}
        assert {tuple(point.split()) for point in points} <= known
    in_reach = {hook.name for hook in hooks_of_program(ROOT, "dicom-node")}
    assert in_reach - NOT_ON_THE_WAY == {point.split()[0] for point in ON_THE_WAY_IN["study"][1]}


@pytest.mark.timeout(600)  # the first one opens the towns
@pytest.mark.parametrize("killed", list(faults()), ids=lambda some: "-".join(one.how for one in some))
def test_killed_on_the_way_in(killed: tuple[Fault, ...], opened: Region) -> None:
    opened.run(Schedule(opened.setting, 0, 1, killed))
