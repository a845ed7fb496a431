"""Fixtures of the services' tests."""

from pathlib import Path

import pytest

from gateway.store.engine import Database
from tests.unit.gateway.services.scenery import Scenery


@pytest.fixture
def scenery(database: Database, tmp_path: Path) -> Scenery:
    return Scenery(database, tmp_path)
