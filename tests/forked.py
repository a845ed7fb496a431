"""A forked child that kills itself at a hook."""

import os
import signal
import traceback
from collections.abc import Callable

import pytest

from gateway.domain import hooks
from gateway.store.engine import Database

_PATIENCE_S = 60
_DATABASES = ("sqlite", "postgresql") if "SOAK" in os.environ else ("sqlite",)
on_its_databases = pytest.mark.parametrize("database_url", _DATABASES, indirect=True)
"""A test of kills: on PostgreSQL as well where there is time, in `make soak`."""


def kill_at(hook: str, do: Callable[[], object], *, database: Database) -> None:
    """Do it in a child of this process which kills itself (SIGKILL) at that hook; nothing else may have ended it.

    The child opens connections to the database of its own.
    """
    database.dispose()
    child = os.fork()
    if child == 0:
        _die_at(hook, do)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"it ended otherwise than at {hook}"


def _die_at(hook: str, do: Callable[[], object]) -> None:
    """Never returns."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE_S)
    hooks.observe(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == hook else None)
    try:
        do()
    except BaseException:  # noqa: BLE001  # the edge of a process, which must not go on with the tests
        traceback.print_exc()
    finally:
        os._exit(1)
