"""The schedules of the distributed setting: PostgreSQL and RabbitMQ."""

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.chosen import numbers
from tests.acceptance.faults.running import Towns, towns
from tests.acceptance.faults.schedule import DISTRIBUTED, drawn


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Towns]:
    with towns(tmp_path_factory.mktemp(DISTRIBUTED), DISTRIBUTED) as ready:
        yield ready


@pytest.mark.timeout(300)  # the first one opens the town
@pytest.mark.parametrize("number", numbers(DISTRIBUTED))
def test_a_schedule_of_faults_breaks_no_promise(number: int, opened: Towns) -> None:
    opened.run(drawn(DISTRIBUTED, number))
