"""The peers for the overhead: plain Celery tasks on the same broker, with the same threads; one POSTs a body.

`python -m benchmarks.delivery.plain_celery` is its worker. It keeps nothing and looks after nothing.
"""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
from celery import Celery

from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.processes import cpu_s
from benchmarks.delivery.station import SOURCES
from tests.peers.processes import Process, wait_until

_WARM_UP, _THREADS = 16, 4
app = Celery("benchmark", broker=os.environ.get("BENCHMARK_BROKER_URL"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, worker_hijack_root_logger=False)
_here = threading.local()


@app.task(name="benchmark.post")  # type: ignore[untyped-decorator]  # celery ships no types
def post(url: str, key: str, body: str) -> None:
    """One report; each thread keeps its connection."""
    client: httpx.Client | None = getattr(_here, "client", None)
    if client is None:
        client = _here.client = httpx.Client(verify=False)
    headers = {"Content-Type": "application/fhir+json", "If-None-Exist": f"identifier=benchmark|{key}"}
    client.post(f"{url}/DiagnosticReport", content=body, headers=headers).raise_for_status()


@app.task(name="benchmark.nothing")  # type: ignore[untyped-decorator]  # the same
def nothing(counted_in: str) -> None:
    """One byte more in a file, which tells how many are done."""
    with Path(counted_in).open("ab", buffering=0) as file:
        file.write(b".")


def posting_cpu_s(broker_url: str, ehr: FastEhr, body: str, number: int, folder: Path) -> float:
    """CPU seconds of the worker's process for each of so many reports."""

    def run(numbers: range) -> None:
        keys = {f"{folder.name}-{one}" for one in numbers}
        for key in keys:
            post.delay(ehr.url, key, body)
        wait_until(lambda: keys <= ehr.answered_at().keys(), timeout_s=300, waiting_for="the plain tasks")

    return _cpu_s_each(broker_url, number, folder, run)


def idle_cpu_s(broker_url: str, number: int, folder: Path) -> float:
    """The same for each of so many tasks that do nothing."""
    counted_in = folder.with_suffix(".done")

    def run(numbers: range) -> None:
        for _ in numbers:
            nothing.delay(str(counted_in))
        wait_until(lambda: _size(counted_in) == numbers.stop, timeout_s=300, waiting_for="the plain tasks")

    return _cpu_s_each(broker_url, number, folder, run)


def _cpu_s_each(broker_url: str, number: int, folder: Path, run: Callable[[range], None]) -> float:
    environment = {"BENCHMARK_BROKER_URL": broker_url, "PYTHONPATH": SOURCES}
    command = (sys.executable, "-m", "benchmarks.delivery.plain_celery")
    with Process("plain-celery", command, folder=folder, environment=environment) as worker:
        worker.start(is_ready=lambda: worker.is_running)
        app.conf.broker_url = broker_url
        run(range(_WARM_UP))
        before = cpu_s(worker.pid)
        run(range(_WARM_UP, _WARM_UP + number))
        return (cpu_s(worker.pid) - before) / number


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


if __name__ == "__main__":
    app.worker_main(["worker", "--pool=threads", f"--concurrency={_THREADS}", "--loglevel=WARNING"])
