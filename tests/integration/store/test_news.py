"""A worker hears of work that another process put into the outbox, without waiting for its poll."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gateway.domain.work import JobKind
from gateway.store import outbox
from gateway.store.engine import Database
from tests.peers.processes import wait_until
from workers.listener import keep_listening

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE query = 'LISTEN outbox' AND datname = current_database()"
)


@pytest.fixture
def news(database: Database) -> Iterator[threading.Event]:
    news, ended = threading.Event(), threading.Event()
    listener = threading.Thread(target=keep_listening, args=[database, news, ended])
    listener.start()
    try:
        _hear(news)  # it listens
        yield news
    finally:
        ended.set()
        listener.join()


def test_work_of_another_process_is_heard_of_when_it_is_committed(database_url: str, news: threading.Event) -> None:
    _is_heard(database_url, news)


def test_a_listener_that_lost_its_connection_gets_another_one(
    database: Database, database_url: str, news: threading.Event
) -> None:
    if not database.is_sqlite:  # whose file cannot be lost
        with database.read() as connection:
            assert connection.execute(_CUT).scalars().all() == [True]
        _hear(news)  # it listens again, and has the relay look after what it may have missed
    _is_heard(database_url, news)


def _is_heard(database_url: str, news: threading.Event) -> None:
    other = Database(database_url)
    with other.write("test") as connection:
        outbox.enqueue(connection, JobKind.REPORT_RENDER, "report", case_id=None, now=NOW)
        assert not news.is_set()
    _hear(news)
    other.dispose()


def _hear(news: threading.Event) -> None:
    wait_until(news.is_set, timeout_s=30, waiting_for="word of new work")
    news.clear()
