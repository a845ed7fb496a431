"""The worker is killed (SIGKILL) at each hook on the way back to the clinic; the result is the same, once."""

import pytest

from tests.acceptance.kill_points import TO_THE_CLINIC, early_and_late
from tests.acceptance.killing import kill_at, worker
from tests.acceptance.scene import Order
from tests.acceptance.theatre import Theatre


@pytest.fixture(scope="module")
def reviewed(theatre: Theatre, tmp_path_factory: pytest.TempPathFactory) -> list[Order]:
    """One case for each test, already with the reviewer."""
    folder = tmp_path_factory.mktemp("reviewed")
    orders = [theatre.case_on_its_way(folder) for _ in early_and_late(TO_THE_CLINIC)]
    with worker(theatre.gateway):
        for order in orders:
            theatre.settle_to_reviewer(order)
    return orders


@pytest.mark.parametrize(("early", "late"), early_and_late(TO_THE_CLINIC))
def test_killed_twice_on_the_way_to_the_clinic(early: str, late: str, theatre: Theatre, reviewed: list[Order]) -> None:
    order = reviewed.pop()
    theatre.scene.report(order.case_id)
    for hook in (early, late):
        kill_at(theatre, hook)
    with worker(theatre.gateway):
        theatre.settle_to_clinic(order)
    theatre.assert_returned_once(order)
