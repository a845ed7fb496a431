"""The private PostgreSQL starts, keeps its data over a restart, and leaves nobody behind."""

import psycopg
import pytest

from tests.peers.postgres import Postgres
from tests.peers.processes import is_group_alive, is_listening


def _conninfo(url: str) -> str:
    return url.replace("+psycopg", "")


def test_data_outlive_a_restart_and_nobody_outlives_the_server() -> None:
    with Postgres() as server:
        url = server.create_database("kept")
        with psycopg.connect(_conninfo(url)) as connection:
            connection.execute("CREATE TABLE thing AS SELECT 7 AS number")
        server.stop()
        assert not is_listening(server.port)
        server.start()
        with psycopg.connect(_conninfo(url)) as connection:
            assert connection.execute("SELECT number FROM thing").fetchone() == (7,)
            copied = server.create_database("empty")
        with psycopg.connect(_conninfo(copied)) as connection, pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT number FROM thing")
        group, folder = server.process.pid, server.process.folder
    assert not is_group_alive(group)
    assert not is_listening(server.port)
    assert not folder.exists()


def test_a_database_is_dropped_under_whoever_uses_it() -> None:
    with Postgres() as server:
        connection = psycopg.connect(_conninfo(server.create_database("gone")))
        server.drop_database("gone")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()
