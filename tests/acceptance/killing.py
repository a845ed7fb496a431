"""Workers that are forked from a process which has imported everything, so that killing many of them is cheap."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from tests.acceptance.gateway import wait_for

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["workers.app", "tests.acceptance.killing"])


def _work(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    from config.settings import load_settings
    from workers.app import run_worker

    run_worker(load_settings())


@contextmanager
def worker(environment: Mapping[str, str], *, kill_at: str = "") -> Iterator[ForkServerProcess]:
    """A worker process; with `kill_at` it kills itself (SIGKILL) at that hook. Stopped at the end of the block."""
    process = _context.Process(target=_work, args=[{**environment, "CONSILIUM_KILL_AT": kill_at}], daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        assert process.exitcode is not None, "the worker did not stop"


def wait_until_killed(process: ForkServerProcess) -> None:
    """Until the worker has died by its own SIGKILL."""
    wait_for(lambda: process.exitcode is not None, "the worker to be killed at its hook", 20)
    assert process.exitcode == -signal.SIGKILL
