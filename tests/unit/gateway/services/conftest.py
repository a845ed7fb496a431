"""Fixtures of the services' tests."""

from pathlib import Path

import pytest

from gateway.domain.record import Delivery
from gateway.store.engine import Database
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


@pytest.fixture
def scenery(database: Database, tmp_path: Path) -> Scenery:
    return Scenery(database, tmp_path)


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    """Of one object, on its way to the reviewer's node; it may leave."""
    scenery.consent(DISCLOSE)
    return scenery.images("1.1")
