"""The peer for the overhead: a plain Celery task that POSTs a body, on the same broker, with the same threads.

`python -m benchmarks.delivery.plain_celery` is its worker. It keeps nothing and looks after nothing.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
from celery import Celery

from benchmarks.delivery.station import SOURCES, cpu_s
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


def cpu_s_each(broker_url: str, ehr: Any, body: str, number: int, folder: Path) -> float:
    """CPU seconds of the worker's process for each of so many tasks."""
    environment = {"BENCHMARK_BROKER_URL": broker_url, "PYTHONPATH": SOURCES}
    command = (sys.executable, "-m", "benchmarks.delivery.plain_celery")
    with Process("plain-celery", command, folder=folder, environment=environment) as worker:
        worker.start(is_ready=lambda: worker.is_running)
        app.conf.broker_url = broker_url
        _run(ehr, body, range(_WARM_UP), folder.name)
        before = cpu_s(worker.pid)
        _run(ehr, body, range(_WARM_UP, _WARM_UP + number), folder.name)
        return (cpu_s(worker.pid) - before) / number


def _run(ehr: Any, body: str, numbers: range, name: str) -> None:
    keys = {f"{name}-{number}" for number in numbers}
    for key in keys:
        post.delay(ehr.url, key, body)
    wait_until(lambda: keys <= ehr.answered_at().keys(), timeout_s=300, waiting_for="the plain tasks")


if __name__ == "__main__":
    app.worker_main(["worker", "--pool=threads", f"--concurrency={_THREADS}", "--loglevel=WARNING"])
