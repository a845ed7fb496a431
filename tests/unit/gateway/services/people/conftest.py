from pathlib import Path

import pytest

from gateway.services.core import Core
from gateway.store.engine import Database
from tests.core import Clock, core_over
from tests.people import Somebody


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def core(database: Database, tmp_path: Path, clock: Clock) -> Core:
    return core_over(database, tmp_path, clock)


@pytest.fixture
def ayse(core: Core) -> Somebody:
    return Somebody(core)
