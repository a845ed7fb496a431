"""The executor offers room for the queues that it serves, and each has threads of its own."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.breaker import DestinationPolicy
from gateway.domain.work import QUEUES, JobKind
from gateway.store import doorbell, outbox
from gateway.store.engine import Database
from tests.core import START, Clock
from tests.peers.processes import wait_until
from workers.dispatch import Broker, Executor
from workers.tasks import GatewayCelery

PATIENCE_S = 10
SENDING = JobKind.DELIVERY_SEND


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Jobs whose id begins with "long" end when it is set."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def ended(gate: threading.Event) -> dict[str, threading.Event]:
    ended = {job_id: threading.Event() for job_id in ("long-1", "long-2", "short")}

    def do(job_id: str) -> bool:
        if job_id.startswith("long"):
            gate.wait(PATIENCE_S)
        ended[job_id].set()
        return True

    GatewayCelery(do=do, broker=None)
    return ended


def test_there_is_room_for_the_queues_served_and_no_other() -> None:
    executor = Executor(["deliver", "match"], threads=1, in_flight=3)
    assert executor.room() == {"deliver": 3, "match": 3}
    executor.stop()


def test_a_long_job_holds_back_no_other_queue(gate: threading.Event, ended: dict[str, threading.Event]) -> None:
    executor = Executor(["deidentify", "deliver"], threads=1, in_flight=3)
    executor.dispatch(JobKind.STUDY_RELEASE, "long-1")
    executor.dispatch(JobKind.STUDY_RELEASE, "long-2")
    executor.dispatch(JobKind.DELIVERY_SEND, "short")
    assert ended["short"].wait(PATIENCE_S)
    assert executor.room()["deidentify"] == 1
    assert not ended["long-1"].is_set()
    gate.set()
    assert ended["long-2"].wait(PATIENCE_S)
    executor.stop()


def test_while_one_queue_ends_no_other_begins_anything(
    gate: threading.Event, ended: dict[str, threading.Event]
) -> None:
    executor = Executor(["deidentify", "deliver"], threads=1, in_flight=3)
    executor.dispatch(JobKind.STUDY_RELEASE, "long-1")
    executor.dispatch(JobKind.DELIVERY_SEND, "long-2")
    executor.dispatch(JobKind.DELIVERY_SEND, "short")
    stopping = threading.Thread(target=executor.stop)
    stopping.start()
    wait_until(lambda: "short" not in executor.holding(), timeout_s=PATIENCE_S, waiting_for="what is queued to be left")
    gate.set()
    stopping.join(PATIENCE_S)
    assert ended["long-1"].is_set() and ended["long-2"].is_set()
    assert not ended["short"].is_set()


def test_what_was_rung_for_before_a_new_connection_is_rung_for_again(tmp_path: Path) -> None:
    clock = Clock()
    broker = Broker(Database(f"sqlite:///{tmp_path}/consilium.db"), in_flight=3, now=clock)
    assert broker.ring_again_after == timedelta(seconds=30)
    broker.reconnected()
    assert broker.ring_again_after == timedelta(0)
    clock.forward(seconds=4)
    assert clock() - broker.ring_again_after == START
    clock.forward(seconds=60)
    assert broker.ring_again_after == timedelta(seconds=30)


def test_a_clock_that_is_set_back_rings_for_nothing_in_the_future(tmp_path: Path) -> None:
    clock = Clock()
    broker = Broker(Database(f"sqlite:///{tmp_path}/consilium.db"), in_flight=3, now=clock)
    broker.reconnected()
    clock.forward(days=-1)
    assert broker.ring_again_after == timedelta(0)


def test_what_rings_takes_room_in_its_queue_until_it_is_claimed_or_lost(database: Database) -> None:
    clock = Clock()
    broker = Broker(database, in_flight=3, now=clock)
    everywhere = dict.fromkeys(QUEUES.values(), 3)
    with database.write("test") as connection:
        jobs = [outbox.enqueue(connection, SENDING, f"{n}", case_id=None, now=clock()) for n in range(3)]
        doorbell.rung(connection, jobs[:2], clock())
    assert broker.room() == everywhere | {QUEUES[SENDING]: 1}
    with database.write("test") as connection:
        policy = DestinationPolicy()
        outbox.claim(connection, jobs[0], owner="worker", now=clock(), lease_s=60, policy=policy)
    assert broker.room() == everywhere | {QUEUES[SENDING]: 2}
    clock.forward(seconds=30)
    assert broker.room() == everywhere
