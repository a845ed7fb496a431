"""The relay tells what is due, and what it could not tell stays due."""

import threading
from datetime import UTC, datetime, timedelta

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import JobKind
from gateway.store import outbox
from gateway.store.engine import Database
from tests.peers.processes import wait_until
from workers.relay import Relay

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class _Broker:
    """Takes so many messages, and is away then."""

    ring_again_after = timedelta(seconds=30)

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.told: list[str] = []
        self.asked = 0

    def room(self) -> dict[str, int]:
        return {"match": 9}

    def holding(self) -> frozenset[str]:
        return frozenset()

    def dispatch(self, _kind: JobKind, job_id: str) -> bool:
        self.asked += 1
        if len(self.told) == self.takes:
            return False
        self.told.append(job_id)
        return True


def _relay(database: Database, broker: _Broker, news: threading.Event | None = None) -> Relay:
    policy, news = DestinationPolicy(), news or threading.Event()
    return Relay(database, broker, now=lambda: NOW, policy=policy, poll_s=120, news=news)


def _enqueue(database: Database, number: int) -> list[str]:
    with database.write("test") as connection:
        return [
            outbox.enqueue(
                connection, JobKind.STUDY_SETTLE, f"study-{n}", case_id=None, now=NOW + timedelta(seconds=n - 9)
            )
            for n in range(number)
        ]


def test_each_row_is_told_once_while_its_message_may_be_on_its_way(database: Database) -> None:
    rows, broker = _enqueue(database, 3), _Broker(takes=9)
    relay = _relay(database, broker)
    assert (relay.ring(), relay.ring()) == (3, 0)
    assert broker.told == rows


def test_what_a_broker_that_is_away_did_not_take_is_told_when_it_is_back(database: Database) -> None:
    rows, broker = _enqueue(database, 3), _Broker(takes=1)
    relay = _relay(database, broker)
    assert relay.ring() == 1
    assert broker.asked == 2  # the second refusal would cost another time-out
    broker.takes = 9
    assert relay.ring() == 2
    assert broker.told == rows


def test_what_a_job_put_in_is_told_before_the_next_poll(database: Database) -> None:
    broker, ended, news = _Broker(takes=9), threading.Event(), threading.Event()
    thread = threading.Thread(target=_relay(database, broker, news).run, args=[ended])
    thread.start()
    try:
        rows = _enqueue(database, 1)
        news.set()
        wait_until(lambda: broker.told == rows, timeout_s=60, waiting_for="the row to be told")
    finally:
        ended.set()
        news.set()
        thread.join()
