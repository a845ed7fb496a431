from pathlib import Path

import pytest

from gateway.store.engine import Database
from tests.unit.gateway.web.support import World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)
