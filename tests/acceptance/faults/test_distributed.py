"""The schedules of the distributed setting: PostgreSQL, RabbitMQ and a bucket."""

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.chosen import numbers
from tests.acceptance.faults.running import Region, asked_for, region
from tests.acceptance.faults.schedule import DISTRIBUTED, drawn


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    schedules = [drawn(DISTRIBUTED, number) for number in asked_for(request, "number")]
    with region(tmp_path_factory.mktemp(DISTRIBUTED), DISTRIBUTED, schedules) as ready:
        yield ready


@pytest.mark.timeout(600)  # the first one opens the towns
@pytest.mark.parametrize("number", numbers(DISTRIBUTED))
def test_a_schedule_of_faults_breaks_no_promise(number: int, opened: Region) -> None:
    opened.run(drawn(DISTRIBUTED, number))
