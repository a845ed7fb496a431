"""Both databases: every test in this folder that asks for `database` runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.integration.store.stage import Stage
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres

_TEMPLATE = "with_schema"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server whose database `with_schema` has the current schema, to be copied."""
    with Postgres() as server:
        fresh = Database(server.create_database(_TEMPLATE))
        upgrade(fresh)
        fresh.dispose()
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, empty_database_file: Path) -> Iterator[str]:
    """Of a fresh database with the current schema."""
    if request.param == "sqlite":
        shutil.copyfile(empty_database_file, tmp_path / "consilium.db")
        yield f"sqlite:///{tmp_path / 'consilium.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    yield server.create_database(name, template=_TEMPLATE)
    server.drop_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    fresh = Database(database_url)
    yield fresh
    fresh.dispose()


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """An S3-speaking server; each test has a bucket of its own."""
    with Moto() as server:
        yield server


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path)
