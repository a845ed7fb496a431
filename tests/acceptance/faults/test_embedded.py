"""The schedules of the embedded setting: SQLite, and the worker's own threads."""

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.chosen import numbers
from tests.acceptance.faults.running import Region, asked_for, region
from tests.acceptance.faults.schedule import EMBEDDED, drawn


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    schedules = [drawn(EMBEDDED, number) for number in asked_for(request, "number")]
    with region(tmp_path_factory.mktemp(EMBEDDED), EMBEDDED, schedules) as ready:
        yield ready


@pytest.mark.timeout(600)  # the first one opens the towns
@pytest.mark.parametrize("number", numbers(EMBEDDED))
def test_a_schedule_of_faults_breaks_no_promise(number: int, opened: Region) -> None:
    opened.run(drawn(EMBEDDED, number))
