"""The worker is killed (SIGKILL) as it tells RabbitMQ of a job; the result is the same, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.kill_points import ON_A_BROKER, hooks
from tests.acceptance.killing import kill_at, worker
from tests.acceptance.theatre import Theatre, open_theatre
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with Postgres() as server, RabbitMQ() as broker:
        settings = {"CONSILIUM_DATABASE_URL": server.create_database("consilium"), "CONSILIUM_BROKER_URL": broker.url}
        with open_theatre(tmp_path_factory.mktemp("theatre"), settings) as opened:
            yield opened


@pytest.mark.parametrize("hook", hooks(ON_A_BROKER))
def test_killed_as_it_rings(hook: str, theatre: Theatre, tmp_path: Path) -> None:
    order = theatre.case_on_its_way(tmp_path)
    kill_at(theatre, hook)
    with worker(theatre.gateway):
        theatre.settle_to_reviewer(order)
    theatre.assert_arrived_once(order)
