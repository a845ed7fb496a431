"""With a broker: long work of one kind holds back no other kind, and a worker does what it was told to."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.domain.work import JobKind
from gateway.store import outbox
from gateway.store.engine import Database
from tests.peers.processes import Process, wait_until
from tests.peers.rabbitmq import RabbitMQ

THREADS = 2
PATIENCE_S = 120  # a worker starts slowly where many tests share the processor


pytestmark = pytest.mark.timeout(500)


class Yard:
    """A folder in which jobs leave their files, a database, and workers on one broker."""

    def __init__(self, folder: Path, database: Database, broker: RabbitMQ) -> None:
        self.folder, self.database = folder, database
        self._environment = {
            "CONSILIUM_DATA_DIR": str(folder / "data"),
            "CONSILIUM_DATABASE_URL": f"sqlite:///{folder / 'consilium.db'}",
            "CONSILIUM_BROKER_URL": broker.url,
            "CONSILIUM_WORKER__THREADS": str(THREADS),
            "CONSILIUM_WORKER__POLL_S": "0.05",
            "CONSILIUM_STORAGE__MIN_FREE_BYTES": "0",
        }
        self._workers: list[Process] = []

    def worker(self, name: str, **settings: str) -> Process:
        command = [sys.executable, "-m", "tests.integration.workers.gated_worker", str(self.folder)]
        environment = {**self._environment, **settings, "PYTHONPATH": str(Path(__file__).parents[3])}
        process = Process(name, command, folder=self.folder, environment=environment)
        self._workers.append(process)
        return process.start(is_ready=lambda: process.is_running)

    def enqueue(self, kind: JobKind, number: int) -> list[str]:
        now = datetime.now(UTC)
        with self.database.write("test") as connection:
            return [outbox.enqueue(connection, kind, f"{kind}-{n}", case_id=None, now=now) for n in range(number)]

    def begun(self, jobs: list[str]) -> list[str]:
        return [job for job in jobs if (self.folder / f"{job}.begun").exists()]

    def until_done(self, jobs: list[str], what: str) -> None:
        wait_until(
            lambda: all((self.folder / f"{job}.done").exists() for job in jobs),
            timeout_s=PATIENCE_S,
            waiting_for=what,
        )

    def open_gate(self) -> None:
        (self.folder / "gate").touch()

    def close(self) -> None:
        self.open_gate()
        for worker in self._workers:
            worker.stop()


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with RabbitMQ() as started:
        yield started


@pytest.fixture
def yard(tmp_path: Path, database: Database, broker: RabbitMQ) -> Iterator[Yard]:
    opened = Yard(tmp_path, database, broker)
    yield opened
    opened.close()


def test_a_long_de_identification_holds_back_no_delivery(yard: Yard) -> None:
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 4 * THREADS)
    yard.worker("worker")
    wait_until(lambda: len(yard.begun(studies)) == THREADS, timeout_s=PATIENCE_S, waiting_for="all threads to be busy")
    deliveries = yard.enqueue(JobKind.DELIVERY_SEND, 5)
    yard.until_done(deliveries, "the deliveries")
    assert len(yard.begun(studies)) == THREADS
    yard.open_gate()
    yard.until_done(studies, "the studies")


def test_what_one_busy_worker_has_not_begun_goes_to_the_other(yard: Yard) -> None:
    """One message of the queue waits at most at a busy worker."""
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 2 * THREADS + 1)
    yard.worker("first")
    wait_until(lambda: len(yard.begun(studies)) == THREADS, timeout_s=PATIENCE_S, waiting_for="the first to be busy")
    yard.worker("second", CONSILIUM_WORKER__RELAY="false")
    wait_until(lambda: len(yard.begun(studies)) == 2 * THREADS, timeout_s=PATIENCE_S, waiting_for="both to be busy")
    yard.open_gate()
    yard.until_done(studies, "the studies")


def test_a_worker_does_the_kinds_of_work_it_was_told_to(yard: Yard) -> None:
    yard.open_gate()
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 1)
    deliveries = yard.enqueue(JobKind.DELIVERY_SEND, 3)
    yard.worker("sender", CONSILIUM_WORKER__QUEUES='["deliver"]')
    yard.until_done(deliveries, "the deliveries")
    assert yard.begun(studies) == []
    yard.worker("other", CONSILIUM_WORKER__QUEUES='["deidentify"]', CONSILIUM_WORKER__RELAY="false")
    yard.until_done(studies, "the studies")
