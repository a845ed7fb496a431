"""A number is always the same schedule, and those of `make test` have every kind of fault among them."""

import pytest

from tests.acceptance.faults.chosen import numbers
from tests.acceptance.faults.schedule import DISTRIBUTED, DISTRIBUTED_KINDS, EMBEDDED, KINDS, STEPS, drawn


def test_a_number_gives_the_same_schedule_each_time() -> None:
    assert drawn(EMBEDDED, 17) == drawn(EMBEDDED, 17)
    assert drawn(EMBEDDED, 17) != drawn(EMBEDDED, 18)
    assert drawn(EMBEDDED, 17).faults != drawn(DISTRIBUTED, 17).faults


def test_those_of_make_test_have_every_kind_of_fault_and_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCHEDULES", "SEED", "SETTING"):
        monkeypatch.delenv(name, raising=False)
    taken = {setting: [drawn(setting, one) for one in numbers(setting)] for setting in (EMBEDDED, DISTRIBUTED)}
    assert sum(map(len, taken.values())) == 60
    embedded = [fault for schedule in taken[EMBEDDED] for fault in schedule.faults]
    assert {fault.kind for fault in embedded} == set(KINDS)
    assert {fault.step for fault in embedded} == set(STEPS)
    distributed = {fault.kind for schedule in taken[DISTRIBUTED] for fault in schedule.faults}
    assert set(DISTRIBUTED_KINDS) <= distributed


def test_a_failure_says_how_to_have_it_again() -> None:
    told = drawn(DISTRIBUTED, 5).told()
    assert "make soak SETTING=distributed SEED=5 SCHEDULES=1" in told
    assert "not the same interleaving" in told
