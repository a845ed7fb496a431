"""Calls at a later moment, all of them from one thread: most are called off long before, and a thread each is dear."""

import heapq
import os
import threading
import time
from collections.abc import Callable

import structlog

from gateway.domain.errors import Transient

_log = structlog.get_logger()


class Alarm:
    """One call that is still to come."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def call_off(self) -> None:
        """It is not called any more, unless that has begun."""
        self._call = None

    def ring(self) -> None:
        """Call, unless it was called off."""
        if (call := self._call) is not None:
            call()


class Alarms:
    """Their thread begins with the first alarm, and is a daemon. What it calls does not block."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Alarm]] = []
        self._set = 0
        self._is_earlier = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Have it called so many seconds from now. Raises Transient where there can be no thread to call it."""
        alarm, due_at_s = Alarm(call), time.monotonic() + seconds
        with self._is_earlier:
            self._begin()
            self._set += 1
            heapq.heappush(self._waiting, (due_at_s, self._set, alarm))
            if self._waiting[0][2] is alarm:
                self._is_earlier.notify()
        return alarm

    def _begin(self) -> None:
        """Have the thread; one that could not be started is tried again by the next alarm."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="alarms", daemon=True)
            try:
                thread.start()
            except RuntimeError as exc:
                raise Transient("this machine starts no more threads for this process") from exc
            self._thread = thread

    def _run(self) -> None:
        while True:
            try:
                self._next().ring()
            except Exception as exc:  # noqa: BLE001  # the edge of a thread: the other alarms must not end with this one
                _log.warning("alarm.failed", error=type(exc).__name__)

    def _next(self) -> Alarm:
        """The first that is due, once it is."""
        with self._is_earlier:
            while True:
                wait_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._is_earlier.wait(wait_s)


alarms = Alarms()
"""Of this process: one that is forked has no thread of them yet, and nothing to call."""
os.register_at_fork(after_in_child=alarms.__init__)  # type: ignore[misc]  # the same object, as new
