"""Workers that kill themselves at a hook."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.gateway import Gateway, wait_for
from tests.acceptance.programs import Program


@contextmanager
def worker(gateway: Gateway, *, kill_at: str = "") -> Iterator[Program]:
    """A worker process; with `kill_at` it kills itself (SIGKILL) at that hook. Stopped at the end of the block."""
    environment = {**gateway.environment, "CONSILIUM_KILL_AT": kill_at}
    program = Program("worker", folder=gateway.folder, environment=environment)
    program.start(is_ready=lambda: True)
    try:
        yield program
    finally:
        program.stop()


def wait_until_killed(program: Program) -> None:
    """Until the worker has died by its own SIGKILL."""
    wait_for(lambda: not program.is_running, "the worker to be killed at its hook", 20)
    assert program.exit_code == -signal.SIGKILL
