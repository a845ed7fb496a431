"""At its start a worker sees that recurring work has its rows; from then on the outbox has it."""

import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger()
_PAUSE_S = 5.0


def keep_begun(begin: Callable[[], bool], ended: threading.Event) -> None:
    """Begin until all of it has; a database that is away, or has no schema yet, is waited for until `ended` is set."""
    while not ended.is_set():
        try:
            if begin():
                return
        except Exception as exc:  # noqa: BLE001  # a process edge: the worker does its other work meanwhile
            _log.warning("schedule.waiting", error=type(exc).__name__)
        ended.wait(_PAUSE_S)
