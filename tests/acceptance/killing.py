"""Workers that kill themselves at a hook."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.acceptance.gateway import Gateway, wait_for
from tests.acceptance.theatre import Theatre
from tests.programs import Program

_UNSEEN_FOR = timedelta(minutes=1)


@contextmanager
def worker(gateway: Gateway, *, kill_at: str = "") -> Iterator[Program]:
    """A worker process; with `kill_at` it kills itself (SIGKILL) at that hook. Stopped at the end of the block."""
    environment = {**gateway.environment, "CONSILIUM_KILL_AT": kill_at}
    program = Program("worker", folder=gateway.folder, environment=environment)
    program.begin()
    try:
        yield program
    finally:
        program.stop()


def kill_at(theatre: Theatre, hook: str) -> None:
    """Let a worker work until it has died by its own SIGKILL at that hook; nobody looks for longer than a minute.

    By then its leases are over, and what the broker was told and nobody did is told again.
    """
    with worker(theatre.gateway, kill_at=hook) as program:
        wait_for(lambda: not program.is_running, f"the worker to be killed at {hook}", 20)
        assert program.exit_code == -signal.SIGKILL
    theatre.clock.advance(_UNSEEN_FOR)
