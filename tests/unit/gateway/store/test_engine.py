"""Writers take turns from their first statement, readers take no write lock, hooks surround each commit."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from config.settings import load_settings
from gateway.domain import hooks
from gateway.domain.errors import Transient
from gateway.domain.work import QUEUES
from gateway.store.engine import ENOUGH, Database
from gateway.store.tables import party

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _add(database: Database, name: str) -> None:
    with database.write("test") as connection:
        connection.execute(
            insert(party).values(id=name, kind="clinic", name=name, country="TR", time_zone="UTC", created_at=NOW)
        )


def test_read_then_write_loses_no_update(database: Database) -> None:
    _add(database, "0")

    def rename() -> None:
        for _ in range(20):
            with database.write("test") as connection:
                count = int(connection.execute(select(party.c.name)).scalar_one())
                connection.execute(party.update().values(name=str(count + 1)))

    threads = [threading.Thread(target=rename) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(select(party.c.name)).scalar_one() == "80"


def test_sqlite_is_as_durable_as_promised(database: Database) -> None:
    with database.write("test") as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() >= 15_000


def test_a_new_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    database = Database(f"sqlite:///{file}")

    def mode() -> str:
        with database.read() as connection:
            return str(connection.execute(text("PRAGMA journal_mode")).scalar_one())

    with closing(sqlite3.connect(file, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("CREATE TABLE first (number)")
        other.execute("BEGIN IMMEDIATE")
        opened = pool.submit(mode)
        with pytest.raises(TimeoutError):
            opened.result(timeout=0.3)
        other.execute("ROLLBACK")
        assert opened.result(timeout=10) == "wal"
    database.dispose()


def test_hooks_stand_around_the_commit_and_not_around_a_rollback(database: Database) -> None:
    reached: list[str] = []
    hooks.observe(reached.append)
    try:
        _add(database, "a")
        with pytest.raises(ValueError, match="undone"), database.write("other"):
            raise ValueError("undone")
    finally:
        hooks.forget(reached.append)
    assert reached == ["test.before_commit", "test.after_commit"]


def test_whoever_gets_no_connection_may_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENOUGH, "max_overflow", 0)
    monkeypatch.setitem(ENOUGH, "pool_size", 1)
    monkeypatch.setitem(ENOUGH, "pool_timeout", 0.01)
    database = Database(f"sqlite:///{tmp_path}/small.db")
    with database.read(), pytest.raises(Transient, match=r"small\.db is busy; try again"), database.read():
        pass
    database.dispose()


def test_as_many_as_are_served_at_once_by_default_have_a_connection() -> None:
    defaults = load_settings()
    at_once = max(defaults.dicom.max_associations, len(set(QUEUES.values())) * defaults.worker.threads)
    assert ENOUGH["pool_size"] + ENOUGH["max_overflow"] > at_once


def test_an_error_of_the_database_carries_no_value(database: Database) -> None:
    with pytest.raises(Transient) as caught, database.read() as connection:
        connection.execute(text("SELECT secret FROM nowhere WHERE name = 'Ayşe'"))
    assert "Ayşe" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OperationalError)
