"""A reader sees one instant and writes nothing, an error carries no value, and upgrades take turns."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Transient, Unprocessable
from gateway.store.engine import Database
from gateway.store.readiness import is_current, newest_revision
from gateway.store.schema import differences, upgrade
from gateway.store.tables import party
from tests.peers.postgres import Postgres

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _add(database: Database, name: str) -> None:
    with database.write("test") as connection:
        connection.execute(
            insert(party).values(id=name, kind="clinic", name=name, country="TR", time_zone="UTC", created_at=NOW)
        )


def test_a_reader_cannot_write_and_is_not_blocked_by_a_writer(database: Database) -> None:
    _add(database, "a")
    with database.write("test") as writer:
        writer.execute(party.update().values(name="b"))
        with database.read() as reader:
            assert reader.execute(select(party.c.name)).scalar_one() == "a"
    with pytest.raises(Transient), database.read() as reader:
        reader.execute(party.update().values(name="c"))


def test_a_reader_sees_one_instant(database: Database) -> None:
    _add(database, "a")
    with database.read() as reader:
        assert reader.execute(select(func.count()).select_from(party)).scalar_one() == 1
        _add(database, "b")
        assert reader.execute(select(func.count()).select_from(party)).scalar_one() == 1
    with database.read() as reader:
        assert reader.execute(select(func.count()).select_from(party)).scalar_one() == 2


def test_a_writer_after_a_reader_writes_and_sees_what_was_committed_meanwhile(database: Database) -> None:
    _add(database, "a")
    with database.read() as reader:
        assert reader.execute(select(party.c.name)).scalar_one() == "a"
    _add(database, "b")
    with database.write("test") as writer:
        assert writer.execute(select(func.count()).select_from(party)).scalar_one() == 2


def test_a_violated_constraint_is_told_without_the_values_sent(database: Database) -> None:
    _add(database, "a")
    with pytest.raises(IntegrityError) as caught:
        _add(database, "a")
    assert "[parameters" not in str(caught.value)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create_database(f"new_{tmp_path.name}"[:60])


def test_two_processes_that_start_at_once_upgrade_once(new_url: str) -> None:
    databases = [Database(new_url) for _ in range(4)]
    together = threading.Barrier(len(databases))

    def start(database: Database) -> None:
        together.wait(timeout=10)
        upgrade(database)

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(start, databases))
    assert is_current(databases[0])
    assert differences(databases[0]) == []
    for database in databases:
        database.dispose()


def test_the_migrations_make_the_tables_of_the_code(new_url: str) -> None:
    fresh = Database(new_url)
    assert not is_current(fresh)
    upgrade(fresh)
    upgrade(fresh)
    assert is_current(fresh)
    with fresh.read() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == newest_revision()
    assert differences(fresh) == []
    fresh.dispose()


@pytest.mark.parametrize("name", ["Ayşe " * 50, "Ay\0şe"])
def test_postgresql_refuses_what_a_column_cannot_hold_without_repeating_it(postgres: Postgres, name: str) -> None:
    database = Database(postgres.create_database(f"refusing{len(name)}", template="with_schema"))
    with pytest.raises(Unprocessable) as caught:
        _add(database, name)
    database.dispose()
    assert "Ay" not in str(caught.value)


def test_a_server_that_vanishes_is_given_up_within_half_a_minute(postgres: Postgres) -> None:
    database = Database(postgres.create_database("vanishing"))
    with database.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        with socket.socket(fileno=os.dup(driver.fileno())) as wire:
            idle_s, interval_s, count = (
                wire.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            unanswered_ms = wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    database.dispose()
    assert idle_s + count * interval_s <= 30
    assert 0 < unanswered_ms <= 30_000
