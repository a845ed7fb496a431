import pytest

from gateway.store.engine import Database
from tests.unit.gateway.web.support import World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
