"""A folder in which jobs leave their files, a database, and workers on one broker."""

import json
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.domain.work import JobKind
from gateway.store import audit, audit_chain, outbox, workers
from gateway.store.engine import Database
from tests.integration.workers import gated_worker
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ
from tests.programs import Program

THREADS = 2
WATCHED_S = 8.0
ENDS_WITHIN_S = 60.0
"""After SIGTERM: Celery asks the broker for the end of each of its queues, and each answer may be waited for."""
PATIENCE_S = 120  # a worker starts slowly where many tests share the processor


class Yard:
    """A folder in which jobs leave their files, a database, and workers on one broker."""

    def __init__(self, folder: Path, database: Database, broker: RabbitMQ) -> None:
        self.folder, self.database = folder, database
        self._environment = {
            "CONSILIUM_DATA_DIR": str(folder / "data"),
            "CONSILIUM_DATABASE_URL": database.url.render_as_string(),
            "CONSILIUM_BROKER_URL": broker.url,
            "CONSILIUM_WORKER__THREADS": str(THREADS),
            "CONSILIUM_WORKER__POLL_S": "0.05",
            "CONSILIUM_STORAGE__MIN_FREE_BYTES": "0",
        }
        self._workers: list[Program] = []

    def worker(self, name: str, **settings: str) -> Program:
        run = partial(gated_worker.main, self.folder)
        program = Program(name, folder=self.folder, environment={**self._environment, **settings}, run=run)
        self._workers.append(program)
        return program.begin()

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


def troubles(yard: Yard) -> set[str]:
    """What the workers that are there say they wait for."""
    with yard.database.read() as connection:
        return {one.waits_for for one in workers.present(connection, datetime.now(UTC))} - {""}


def record(yard: Yard) -> None:
    """Something for the audit chain."""
    with yard.database.write("test") as connection:
        audit.record(connection, at=datetime.now(UTC), actor="test", action="test.seal", subject="test/1")


def is_sealed(yard: Yard) -> bool:
    """Whether a relay has chained all that is there."""
    with yard.database.read() as connection:
        return not audit_chain.has_unsealed(connection)


def until_told(yard: Yard, words: str) -> None:
    wait_until(
        lambda: any(words in each for each in troubles(yard)),
        timeout_s=PATIENCE_S,
        waiting_for=f"a worker that waits because of {words}",
    )


def assert_patient(worker: Program, words: str) -> None:
    """It lives, and what it says is said once."""
    lines = len(worker.log().splitlines())
    time.sleep(WATCHED_S)  # nothing is to happen meanwhile
    assert worker.is_running
    assert len(worker.log().splitlines()) - lines <= 2
    found = [one for one in _reasons(worker) if words in one]
    assert len(found) == 1, worker.log()


def _reasons(worker: Program) -> list[str]:
    lines = [json.loads(line) for line in worker.log().splitlines() if line.startswith("{")]
    return [line["reason"] for line in lines if line["event"] == "broker.waiting"]
