"""The one dispatch seam and its two implementations: a thread pool in this process, or Celery on a broker."""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from kombu import Producer
from kombu.entity import Queue

from gateway.domain.hooks import reach
from gateway.domain.work import QUEUES, JobKind
from gateway.store import doorbell
from gateway.store.engine import Database
from workers.tasks import do_job
from workers.transport import ANSWERS_WITHIN_S, transport_for
from workers.waiting import BROKER_ERRORS, SAID_AGAIN_AFTER_S, Pause, Waiting, reason_of

_log = structlog.get_logger()
_LOST_AFTER = timedelta(seconds=30)
"""A row that was rung for and not claimed by then is rung for again, however well the broker is."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0
"""A blocked broker keeps each connection that was given up until it reads again: few are begun."""
_UNANSWERED = (
    f"the broker has confirmed nothing for {ANSWERS_WITHIN_S:.0f} s; its log, or rabbitmq-diagnostics alarms, tells "
    "whether it is out of memory or disk"
)


class Executor:
    """Without a broker: the same Celery task through `apply()`, in a thread pool for each queue."""

    def __init__(self, queues: Collection[str], *, threads: int, in_flight: int) -> None:
        self._pools = {queue: ThreadPoolExecutor(threads, thread_name_prefix=queue) for queue in queues}
        self._most = in_flight
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()
        self.ring_again_after = timedelta(0)

    def room(self) -> dict[str, int]:
        """Queue -> how many more of it may be handed over now."""
        with self._lock:
            running = Counter(self._running.values())
        return {queue: self._most - running[queue] for queue in self._pools}

    def holding(self) -> frozenset[str]:
        """What is queued or runs here; it ends with this process."""
        with self._lock:
            return frozenset(self._running)

    def dispatch(self, kind: JobKind, job_id: str) -> bool:
        """Run the task soon, in this process; always True."""
        with self._lock:
            self._running[job_id] = QUEUES[kind]
        future = self._pools[QUEUES[kind]].submit(do_job.apply, args=[job_id], throw=True)
        future.add_done_callback(lambda ended: self._ended(kind, job_id, ended))
        return True

    def stop(self) -> None:
        """Let what runs end, take no more."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._pools.values():
            pool.shutdown(wait=True)

    def _ended(self, kind: JobKind, job_id: str, future: Future[object]) -> None:
        with self._lock:
            self._running.pop(job_id, None)
        if not future.cancelled() and (exc := future.exception()) is not None:
            _log.warning("job.unsettled", kind=str(kind), error=type(exc).__name__)


class Broker:
    """Celery messages with publisher confirms; the database bounds how many are on their way."""

    def __init__(self, database: Database, *, in_flight: int, now: Callable[[], datetime]) -> None:
        self._database = database
        self._most = in_flight
        self._now = now
        self.waiting = Waiting("broker.unreachable", again_after_s=SAID_AGAIN_AFTER_S)
        self._pause = Pause(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._connected_at: datetime | None = None

    @property
    def ring_again_after(self) -> timedelta:
        """Half a minute; less after a new connection, since the broker may have lost what it was told before that."""
        if self._connected_at is None:
            return _LOST_AFTER
        return min(_LOST_AFTER, max(self._now() - self._connected_at, timedelta(0)))

    def reconnected(self) -> None:
        """This process has a new connection to the broker."""
        self._connected_at = self._now()
        self._well()

    def room(self) -> dict[str, int]:
        """Queue -> `in_flight` less its rows that were rung for and not claimed yet; nothing in a pause."""
        if self._pause.is_on:
            return {}
        with self._database.read() as connection:
            ringing = doorbell.ringing(connection, self._now(), ring_again_after=self.ring_again_after)
        return {queue: self._most - ringing[queue] for queue in set(QUEUES.values())}

    def holding(self) -> frozenset[str]:
        """Nothing: what was published belongs to whoever consumes it."""
        return frozenset()

    def dispatch(self, kind: JobKind, job_id: str) -> bool:
        """Publish to the queue of that kind of work; False when the broker does not take it. It is not waited for."""
        with do_job.app.producer_or_acquire() as producer:
            try:
                reach("broker.before_send")
                do_job.apply_async(args=[job_id], queue=QUEUES[kind], retry=False, producer=producer)
                reach("broker.after_send")
            except (do_job.OperationalError, *BROKER_ERRORS) as exc:
                self._failed(exc, producer)
                return False
        self._well()
        return True

    def _failed(self, exc: Exception, producer: Producer) -> None:
        if not isinstance(exc.__cause__ or exc, TimeoutError):
            self.waiting.because(reason_of(exc))
            return
        producer.connection.collect()  # a late confirmation would be taken for that of the next message
        self._pause.take()
        self.waiting.because(_UNANSWERED)

    def _well(self) -> None:
        self.waiting.over()
        self._pause.over()


def celery_settings(broker_url: str) -> dict[str, object]:
    """Quorum queues by kind of work, publisher confirms, one message at a time, no results, no pickles."""
    names = sorted(set(QUEUES.values()))
    return {
        # kombu ships no types
        "task_queues": [Queue(name, queue_arguments={"x-queue-type": "quorum"}) for name in names],  # type: ignore[no-untyped-call]
        "task_default_queue": names[0],
        "task_create_missing_queues": False,
        "broker_transport": transport_for(broker_url),
        "broker_transport_options": {"confirm_publish": True},
        "broker_connection_retry_on_startup": True,
        "broker_channel_error_retry": True,  # a refused login, or a queue declared otherwise, may be mended
        "broker_connection_max_retries": None,  # for ever: the outbox keeps the work meanwhile
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": False,  # nobody asks, and its queues are of a kind that RabbitMQ gives up
        "task_acks_late": False,  # the outbox protects a job across a crash, the broker does not
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_hijack_root_logger": False,
        "enable_utc": True,
    }
