"""One broker for the tests of a module, and a yard of workers for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.engine import Database
from tests.integration.workers.yard import Yard
from tests.peers.rabbitmq import RabbitMQ


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with RabbitMQ() as started:
        yield started


@pytest.fixture
def yard(tmp_path: Path, database: Database, broker: RabbitMQ) -> Iterator[Yard]:
    opened = Yard(tmp_path, database, broker)
    yield opened
    opened.close()
