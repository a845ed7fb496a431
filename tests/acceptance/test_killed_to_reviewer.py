"""The worker is killed (SIGKILL) at each hook on the way to the reviewer; the result is the same, once."""

import re
from pathlib import Path

import pytest

from tests.acceptance.killing import wait_until_killed, worker
from tests.acceptance.theatre import EDGES, TO_THE_CLINIC, TO_THE_REVIEWER, Theatre, early_and_late

ROOT = Path(__file__).parents[2]


def test_every_hook_in_the_code_is_killed_at_or_belongs_to_an_edge() -> None:
    found = set()
    for package in ("gateway", "workers", "dicom_node"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            found |= set(re.findall(r'database\.write\("([^"]+)"\)', text))
            found |= {name.rpartition(".")[0] for name in re.findall(r'reach\("([^"]+)"\)', text)}
    killed = {point.split()[0] for point in TO_THE_REVIEWER + TO_THE_CLINIC}
    assert found - EDGES == killed


@pytest.mark.parametrize(("early", "late"), early_and_late(TO_THE_REVIEWER))
def test_killed_twice_on_the_way_to_the_reviewer(early: str, late: str, theatre: Theatre, files: Path) -> None:
    order = theatre.case_on_its_way(files)
    for hook in (early, late):
        with worker(theatre.gateway, kill_at=hook) as process:
            wait_until_killed(process)
    with worker(theatre.gateway):
        theatre.settle_to_reviewer(order)
    theatre.assert_arrived_once(order)
