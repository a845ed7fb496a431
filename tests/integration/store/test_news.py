"""A worker hears of work that another process put into the outbox, without waiting for its poll."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, event, select, text, update
from structlog.testing import capture_logs

from gateway.domain.work import JobKind, JobState
from gateway.store import outbox
from gateway.store.engine import Database
from gateway.store.tables import outbox as jobs
from tests.peers.postgres import Postgres
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


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    yield postgres.create_database("news", template="with_schema")
    postgres.drop_database("news")


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


def _dead_job(connection: Connection) -> str:
    job_id = outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=NOW)
    connection.execute(update(jobs).values(state=JobState.DEAD, settled_at=NOW))
    return job_id


def test_work_that_is_taken_up_again_is_heard_of(database: Database, database_url: str, news: threading.Event) -> None:
    with database.write("test") as connection:
        job_id = _dead_job(connection)
    _hear(news)
    other = Database(database_url)
    with other.write("test") as connection:
        outbox.revive(connection, job_id, now=NOW)
    _hear(news)
    other.dispose()


def _enqueued(database: Database, subject: str, *, due_at: datetime = NOW) -> None:
    with database.write("test") as connection:
        for n in range(2):
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, f"{subject}{n}", case_id=None, now=NOW, due_at=due_at)


def test_word_is_given_once_after_the_commit_and_only_of_what_is_due(postgres_url: str) -> None:
    """A transaction with NOTIFY takes a lock of the whole database when it commits, and flushes its rows under it."""
    database, seen = Database(postgres_url), list[str]()

    def commits(_connection: Connection) -> None:
        seen.append("commit")

    def runs(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "pg_notify" in statement:
            seen.append("notify")

    event.listen(Engine, "commit", commits)
    event.listen(Engine, "before_cursor_execute", runs)
    try:
        _enqueued(database, "due")
        _enqueued(database, "later", due_at=NOW + timedelta(hours=1))
        with suppress(LookupError), database.write("test") as connection:
            outbox.enqueue(connection, JobKind.STUDY_SETTLE, "rolled back", case_id=None, now=NOW)
            raise LookupError
        _enqueued(database, "later too", due_at=NOW + timedelta(hours=1))
        with database.write("test") as connection:
            outbox.let_go_on(connection, "clinic", now=NOW)
    finally:
        event.remove(Engine, "commit", commits)
        event.remove(Engine, "before_cursor_execute", runs)
    assert seen == ["commit", "notify", "commit", "commit", "commit", "notify"]
    database.dispose()


def test_what_was_committed_stands_when_the_word_cannot_be_given(postgres_url: str) -> None:
    database = Database(postgres_url)

    def cuts(connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if "pg_notify" in statement:
            cast("Any", connection.connection.dbapi_connection).close()

    event.listen(Engine, "before_cursor_execute", cuts)
    try:
        with capture_logs() as logs:
            _enqueued(database, "study")
    finally:
        event.remove(Engine, "before_cursor_execute", cuts)
    assert [(line["event"], line["log_level"]) for line in logs] == [("news.untold", "warning")]
    with database.read() as connection:
        assert len(connection.execute(select(jobs.c.id)).all()) == 2
    database.dispose()


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
