"""The sweeper: removes leftovers at the start of a worker and then once a period. Several may run beside each other."""

import threading
from collections.abc import Callable
from dataclasses import asdict

import structlog

from gateway.services.sweeping import Swept

_log = structlog.get_logger()


def keep_swept(sweep: Callable[[], Swept], ended: threading.Event, *, period_s: float) -> None:
    """Sweep now and every `period_s` until `ended` is set. A store that is away is swept the next time."""
    while not ended.is_set():
        try:
            swept = sweep()
        except Exception as exc:  # noqa: BLE001  # a process edge: a worker goes on without being swept
            _log.warning("storage.unswept", error=type(exc).__name__)
        else:
            _log.info("storage.swept", **asdict(swept))
        ended.wait(period_s)
