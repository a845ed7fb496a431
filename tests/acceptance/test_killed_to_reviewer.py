"""The worker is killed (SIGKILL) at each hook on the way to the reviewer; the result is the same, once."""

from pathlib import Path

import pytest

from tests.acceptance.kill_points import NOT_ON_THE_WAY, TO_THE_CLINIC, TO_THE_REVIEWER, early_and_late
from tests.acceptance.killing import kill_at, worker
from tests.acceptance.theatre import Theatre
from tests.hooks import hooks_of_program

ROOT = Path(__file__).parents[2]


def test_every_hook_of_the_worker_is_killed_at_or_not_on_the_way() -> None:
    killed = {point.split()[0] for point in TO_THE_REVIEWER + TO_THE_CLINIC}
    of_worker = {hook.name for hook in hooks_of_program(ROOT, "worker")}
    assert killed <= of_worker
    assert of_worker - NOT_ON_THE_WAY == killed


@pytest.mark.parametrize(("early", "late"), early_and_late(TO_THE_REVIEWER))
def test_killed_twice_on_the_way_to_the_reviewer(early: str, late: str, theatre: Theatre, files: Path) -> None:
    order = theatre.case_on_its_way(files)
    for hook in (early, late):
        kill_at(theatre, hook)
    with worker(theatre.gateway):
        theatre.settle_to_reviewer(order)
    theatre.assert_arrived_once(order)
