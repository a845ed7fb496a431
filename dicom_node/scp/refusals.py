"""Whoever is turned away is told of in a thread of its own: neither the answer nor the port waits until it is kept."""

import queue
import threading
from contextlib import suppress

import structlog

from dicom_node.scp.settings import Refusal, RefusalKeeper

_MOST_WAITING = 256
"""What a flood holds in memory while the keeper is slow; more is in the log alone."""
log = structlog.get_logger(__name__)


class Refusals:
    """Hands each refusal to `keep`, one after the other, until `stop`. What `keep` raises disturbs nobody."""

    def __init__(self, keep: RefusalKeeper) -> None:
        self._keep = keep
        self._waiting: queue.Queue[Refusal | None] = queue.Queue(_MOST_WAITING)
        self._lock, self._open = threading.Lock(), 0
        self._thread = threading.Thread(target=self._hand_over, name="dicom-refusals", daemon=True)
        self._thread.start()

    def add(self, refusal: Refusal) -> None:
        """It will be kept; returns at once."""
        self._count(1)
        try:
            self._waiting.put_nowait(refusal)
        except queue.Full:
            self._count(-1)
            log.warning("refusal_unrecorded", reason=refusal.reason, host=refusal.host)

    def stop(self, timeout_s: float) -> None:
        """Returns when all is kept, at the latest after twice that time; the log has how many are not."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)
        with self._lock:
            if self._open:
                log.warning("refusals_unrecorded", count=self._open)

    def _count(self, more: int) -> None:
        with self._lock:
            self._open += more

    def _hand_over(self) -> None:
        while (refusal := self._waiting.get()) is not None:
            try:
                self._keep(refusal)
            except Exception as exc:  # noqa: BLE001 - a process edge: the next one is kept all the same
                log.error("refusal_keeper_failed", error=type(exc).__name__)
            finally:
                self._count(-1)
