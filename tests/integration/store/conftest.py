"""Both databases: every test in this folder that asks for `database` runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.integration.store.stage import Stage
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres

_TEMPLATE = "with_schema"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server whose database `with_schema` has the current schema, to be copied."""
    with Postgres() as server:
        fresh = Database(server.create_database(_TEMPLATE))
        upgrade(fresh)
        fresh.dispose()
        yield server


@pytest.fixture(scope="session")
def databases() -> dict[str, Database]:
    """URL -> for one test after the other: what SQLAlchemy has compiled stays with it."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_database_file: Path
) -> Iterator[str]:
    """Of a fresh database with the current schema."""
    if request.param == "sqlite":
        file = tmp_path_factory.getbasetemp() / "database_url.db"
        for left in ("-wal", "-shm"):
            file.with_name(file.name + left).unlink(missing_ok=True)
        shutil.copyfile(empty_database_file, file)
        yield f"sqlite:///{file}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    yield server.create_database("test", template=_TEMPLATE)
    server.drop_database("test")


@pytest.fixture
def database(databases: dict[str, Database], database_url: str) -> Iterator[Database]:
    opened = databases.setdefault(database_url, Database(database_url))
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """An S3-speaking server; each test has a bucket of its own."""
    with Moto() as server:
        yield server


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path)
