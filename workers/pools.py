"""What of Celery's worker is our own: threads for each queue, and no queues for messages that wait for their time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import BasePool, apply_target
from celery.concurrency.thread import ApplyResult
from celery.worker import consumer

_STEPS = consumer.Consumer.Blueprint.default_steps


class PromptConsumer(consumer.Consumer):  # type: ignore[misc]  # Celery ships no types
    """Nothing is published for later, so the 28 queues that Celery declares for that on RabbitMQ are left out."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]
        """The steps of a start."""

        default_steps = tuple(step for step in _STEPS if not step.endswith(":DelayedDelivery"))


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
