"""Fixtures that every kind of test may use."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.guards import keep_blobs_out_of_transactions


@pytest.fixture(autouse=True)
def _guards(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_blobs_out_of_transactions(monkeypatch)


@pytest.fixture(scope="session")
def empty_database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed SQLite file with the current schema, to be copied."""
    path = tmp_path_factory.mktemp("schema") / "empty.db"
    fresh = Database(f"sqlite:///{path}")
    upgrade(fresh)
    fresh.dispose()
    return path


@pytest.fixture(scope="session")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """For one test after the other: what SQLAlchemy has compiled stays with it, which is half of what a test costs."""
    return Database(f"sqlite:///{tmp_path_factory.mktemp('database')}/consilium.db")


@pytest.fixture
def database(one_database: Database, empty_database_file: Path) -> Iterator[Database]:
    """A fresh SQLite database with the current schema."""
    path = str(one_database.url.database)
    for left in ("-wal", "-shm"):
        Path(path + left).unlink(missing_ok=True)
    shutil.copyfile(empty_database_file, path)
    yield one_database
    one_database.dispose()
