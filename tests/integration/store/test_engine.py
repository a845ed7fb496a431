"""A reader sees one instant and writes nothing, an error carries no value, and upgrades take turns."""

import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Transient, Unprocessable
from gateway.store.engine import Database
from gateway.store.limits import take_time
from gateway.store.readiness import is_current, newest_revision
from gateway.store.schema import differences, upgrade, upgrade_within
from gateway.store.tables import metadata, party
from tests.peers.postgres import Postgres
from tests.peers.processes import wait_until

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


def test_the_migrations_make_partial_indexes_of_the_same_rows(database: Database) -> None:
    """The comparison of the schemas does not look at their conditions."""
    indexes = [index for table in metadata.sorted_tables for index in table.indexes]
    expected = {str(one.name): str(one.info["where"]) for one in indexes if "where" in one.info}
    with database.read() as connection:
        found = [one for name in metadata.tables for one in inspect(connection).get_indexes(name)]
    options = {str(one["name"]): one.get("dialect_options", {}) for one in found}
    there = {name: str(one[key]) for name, one in options.items() for key in one if key.endswith("_where")}
    assert len(expected) > 5
    assert there.keys() == expected.keys()
    assert not database.is_sqlite or there == expected  # PostgreSQL writes a condition in its own way


@pytest.mark.parametrize("name", ["Ayşe " * 50, "Ay\0şe"])
def test_postgresql_refuses_what_a_column_cannot_hold_without_repeating_it(postgres: Postgres, name: str) -> None:
    database = Database(postgres.create_database(f"refusing{len(name)}", template="with_schema"))
    with pytest.raises(Unprocessable) as caught:
        _add(database, name)
    database.dispose()
    assert "Ay" not in str(caught.value)


def _limits(connection: Connection) -> dict[str, str]:
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    return {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in names}


def test_nothing_is_waited_for_without_end_but_what_may_take_long(postgres: Postgres) -> None:
    database = Database(postgres.create_database("limited", template="with_schema"))
    usual = {"lock_timeout": "1min", "statement_timeout": "5min", "idle_in_transaction_session_timeout": "15min"}
    with database.write("test") as writer, database.read() as reader:
        assert _limits(writer) == _limits(reader) == usual
    begins: tuple[Callable[[], AbstractContextManager[Connection]], ...]
    begins = (partial(database.write, "test"), database.read)
    for begin in begins:
        with begin() as connection:
            take_time(connection)
            assert set(_limits(connection).values()) == {"0"}
        with begin() as connection:
            assert _limits(connection) == usual
    with database.write("test") as connection:
        upgrade_within(connection)
        assert set(_limits(connection).values()) == {"0"}
    database.dispose()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("lock_timeout=100ms", "is busy"),
        ("statement_timeout=100ms", "took too long"),
        ("idle_in_transaction_session_timeout=100ms", "kept waiting too long"),
    ],
)
def test_what_takes_too_long_is_given_up_and_tried_again(postgres: Postgres, option: str, said: str) -> None:
    """The administrator's own limit counts instead of ours."""
    name = option.partition("=")[0]
    url = postgres.create_database(name, template="with_schema")
    holder, hurried = Database(url), Database(f"{url}?options={quote(f'-c {option}')}")
    _add(holder, "a")
    with holder.write("test") as connection:
        connection.execute(party.update().values(name="b"))
        with pytest.raises(Transient, match=said), hurried.write("test") as waiting:
            if name.startswith("idle"):
                pid = waiting.execute(select(func.pg_backend_pid())).scalar_one()
                wait_until(lambda: _is_gone(connection, pid), timeout_s=10, waiting_for="the server to end it")
            waiting.execute(party.update().values(name="c"))
    with hurried.read() as reader:
        assert reader.execute(select(party.c.name)).scalar_one() == "b"
    for one in (holder, hurried):
        one.dispose()


def _is_gone(connection: Connection, pid: int) -> bool:
    alive = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    return int(connection.execute(alive, {"pid": pid}).scalar_one()) == 0


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
