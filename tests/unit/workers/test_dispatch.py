"""The executor offers room for the queues that it serves, and each has threads of its own."""

import threading
from collections.abc import Iterator

import pytest

from gateway.domain.work import JobKind
from workers.dispatch import Executor
from workers.tasks import GatewayCelery

PATIENCE_S = 10


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
