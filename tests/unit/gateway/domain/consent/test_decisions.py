"""The decision table: decisions/*.toml."""

import pytest

from tests.unit.gateway.domain.consent.notation import Row, rows

ROWS = rows()


@pytest.mark.parametrize("row", [pytest.param(one, id=one.name) for one in ROWS])
def test_row(row: Row) -> None:
    row.check()


def test_names_are_unique_and_there_are_enough_of_them() -> None:
    names = [one.name for one in ROWS]
    assert sorted(set(names)) == sorted(names)
    assert len(names) >= 170
