"""What of Celery's worker is our own: its patience with the broker, threads for each queue, and no delayed messages."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import BasePool, apply_target
from celery.concurrency.thread import ApplyResult
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu.common import ignore_errors

from workers.waiting import reason_of

_STEPS = consumer.Consumer.Blueprint.default_steps
_LONGEST_PAUSE_S = 3.0
"""A broker that cannot be used is asked again after 1 s, 2 s, then every 3 s."""
_LOOK_EVERY_S = 0.2


class PatientConsumer(consumer.Consumer):  # type: ignore[misc]  # Celery ships no types
    """Asks for its broker for ever: one that is away, lets nobody in, or cannot be worked with once connected.

    Celery itself ends at a refused login and comes back without a pause from a queue that cannot be declared. Nothing
    is published for later, so the 28 queues that it declares for that on RabbitMQ are left out.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]  # celery ships no types
        """The steps of a start."""

        default_steps = tuple(step for step in _STEPS if not step.endswith(":DelayedDelivery"))

    connection: Any
    failures = 0
    """Tries in a row that did not end with messages being consumed."""

    def ensure_connected(self, conn: Any) -> Any:
        """One try; what it raises leads to the next one, as whatever fails after it."""
        conn.ensure_connection(max_retries=0, reraise_as_library_errors=False)
        self.first_connection_attempt = False
        return conn

    def on_ready(self) -> None:
        """Messages are consumed from now on; the application hears of it."""
        self.failures = 0
        super().on_ready()
        self.app.on_connected()

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        """Nobody is there, or lets us in."""
        self._pause(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """The connection was lost, or is of no use."""
        connection, self.connection = self.connection, None
        ignore_errors(self, connection.collect)  # type: ignore[no-untyped-call]  # the same
        self._pause(exc)

    def _pause(self, exc: Exception) -> None:
        self.failures += 1
        self.app.on_trouble(reason_of(exc))
        until = time.monotonic() + min(self.failures, _LONGEST_PAUSE_S)
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(_LOOK_EVERY_S)


def queue_pools(threads: int) -> type[BasePool]:
    """A pool class for a worker that Celery takes to do one task at a time, while each queue has so many threads.

    Celery asks the broker for as many messages of a queue as it believes to do at once. So one message of each queue
    waits here at most; the next goes to whichever worker has a thread free first.
    """

    class QueuePools(BasePool):  # type: ignore[misc]  # Celery ships no types
        body_can_be_buffer = True
        signal_safe = False

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._pools: dict[str, ThreadPoolExecutor] = {}

        def on_apply(
            self,
            target: Callable[..., object],
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            callback: Callable[..., object] | None = None,
            accept_callback: Callable[..., object] | None = None,
            **_options: Any,
        ) -> ApplyResult:
            """In a thread of the queue that the message came by; its request tells which."""
            queue = args[2]["delivery_info"]["routing_key"]
            if queue not in self._pools:
                self._pools[queue] = ThreadPoolExecutor(threads, thread_name_prefix=queue)
            return ApplyResult(self._pools[queue].submit(apply_target, target, args, kwargs, callback, accept_callback))

        def on_stop(self) -> None:
            """Let what runs end, take no more."""
            for pool in self._pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
            for pool in self._pools.values():
                pool.shutdown(wait=True)
            super().on_stop()

    return QueuePools
