"""The strict EHR with its records, and a report that it takes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.peers.strict_ehr_calls import fill, report_of_p1
from tests.peers.strict_ehr import StrictEhr


@pytest.fixture
def ehr() -> Iterator[StrictEhr]:
    with StrictEhr() as started:
        fill(started)
        yield started


@pytest.fixture
def report() -> dict[str, Any]:
    return report_of_p1()
