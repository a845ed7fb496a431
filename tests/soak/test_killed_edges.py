"""The web and the DICOM node are killed (SIGKILL) at each hook on the way in; who insists is heard, and once."""

import json
from collections.abc import Iterator
from pathlib import Path

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
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Region, Path]]:
    """The towns, and the folder that has everything they write."""
    schedules = [Schedule(request.param, 0, 1, killed) for killed in faults()]
    folder = tmp_path_factory.mktemp("edges")
    with region(folder, request.param, schedules) as ready:
        yield ready, folder


def test_the_hooks_are_those_of_the_programs() -> None:
    for program, points in ON_THE_WAY_IN.values():
        known = {(hook.name, hook.what) for hook in hooks_of_program(ROOT, program)}
        assert {tuple(point.split()) for point in points} <= known
    in_reach = {hook.name for hook in hooks_of_program(ROOT, "dicom-node")}
    assert in_reach - NOT_ON_THE_WAY == {point.split()[0] for point in ON_THE_WAY_IN["study"][1]}


@pytest.mark.timeout(600)  # the first one opens the towns
@pytest.mark.parametrize("killed", list(faults()), ids=lambda some: "-".join(one.how for one in some))
def test_killed_on_the_way_in(killed: tuple[Fault, ...], opened: tuple[Region, Path]) -> None:
    towns, folder = opened
    towns.run(Schedule(towns.setting, 0, 1, killed))
    for fault in killed:
        assert (fault.what, fault.how) in died(folder)


def died(folder: Path) -> set[tuple[str, str]]:
    """Program and hook of each process that killed itself there: gunicorn begins its own anew, and goes on."""
    logs = (
        (log.stem, line) for log in folder.rglob("*.log") for line in log.read_text("utf-8", "replace").splitlines()
    )
    ended = ((name, json.loads(line)["hook"]) for name, line in logs if '"process.killed"' in line)
    return set(ended)
