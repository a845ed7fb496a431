"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.engine import Database
from gateway.store.tables import metadata


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with the current schema."""
    fresh = Database(f"sqlite:///{tmp_path / 'consilium.db'}")
    metadata.create_all(fresh._writer)
    yield fresh
    fresh.dispose()
