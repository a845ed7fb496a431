"""Each queue has threads of its own, and nothing of Celery's for messages that wait is declared."""

import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
from kombu.transport.pyamqp import amqp

from workers.dispatch import celery_settings
from workers.pools import PatientConsumer, queue_pools
from workers.tasks import GatewayCelery

PATIENCE_S = 10


def _message(queue: str) -> tuple[object, ...]:
    """What Celery hands to a pool: the task's name and id, its request, and the body."""
    return "consilium.job", "id", {"delivery_info": {"routing_key": queue}}, b"", "json", "utf-8"


def test_a_busy_queue_holds_back_no_other() -> None:
    gate, delivered = threading.Event(), threading.Event()
    pool = queue_pools(1)(limit=1)
    pool.start()
    try:
        for _ in range(3):
            pool.apply_async(lambda *_: gate.wait(PATIENCE_S), args=_message("deidentify"))
        pool.apply_async(lambda *_: delivered.set(), args=_message("deliver"))
        assert delivered.wait(PATIENCE_S)
        assert not gate.is_set()
    finally:
        gate.set()
        pool.stop()


def test_what_runs_is_allowed_to_end_and_what_waits_is_left() -> None:
    gate, begun, ended = threading.Event(), threading.Event(), []
    pool = queue_pools(1)(limit=1)
    pool.start()

    def work(number: int) -> None:
        begun.set()
        gate.wait(PATIENCE_S)
        ended.append(number)

    for number in (1, 2):
        pool.apply_async(lambda *_, number=number: work(number), args=_message("deidentify"))
    assert begun.wait(PATIENCE_S)
    threading.Timer(0.05, gate.set).start()
    pool.stop()
    assert ended == [1]


def test_the_consumer_has_all_steps_but_that_one() -> None:
    steps = PatientConsumer.Blueprint.default_steps
    assert "celery.worker.consumer.tasks:Tasks" in steps
    assert not any("delayed" in step for step in steps)


@pytest.fixture
def rested(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moment after each rest of the consumer; time passes in its rests only."""
    moments = [0.0]
    monkeypatch.setattr("workers.pools.time.monotonic", lambda: moments[-1])
    monkeypatch.setattr("workers.pools.time.sleep", lambda seconds: moments.append(moments[-1] + seconds))
    return moments


def _consumer(app: GatewayCelery) -> PatientConsumer:
    controller = SimpleNamespace(use_eventloop=False, semaphore=None)
    return PatientConsumer(lambda _request: None, app=app, controller=controller)


class _Tried(Exception):
    """Enough was tried."""


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (amqp.exceptions.AccessRefused("ACCESS_REFUSED - Login was refused"), "403 ACCESS_REFUSED - Login was refused"),
        (amqp.exceptions.NotAllowed("NOT_ALLOWED - vhost gone not found"), "530 NOT_ALLOWED - vhost gone not found"),
        (amqp.exceptions.InternalError("INTERNAL_ERROR - Cannot declare"), "541 INTERNAL_ERROR - Cannot declare"),
        (amqp.exceptions.PreconditionFailed("PRECONDITION_FAILED - other"), "406 PRECONDITION_FAILED - other"),
    ],
)
@pytest.mark.parametrize("is_connected", [False, True], ids=["at the login", "once connected"])
def test_no_failure_of_the_broker_ends_the_consumer_or_makes_it_hurry(
    failure: Exception, reason: str, is_connected: bool, rested: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, told = list[float](), list[str]()
    app = GatewayCelery(do=lambda _job_id: True, broker="amqp://nowhere.invalid//")
    app.conf.update(celery_settings(""))
    app.on_trouble = told.append
    consumer = _consumer(app)

    class Useless:
        """A connection that is lost at once."""

        def collect(self) -> None: ...

    def fail(_consumer: object) -> None:
        tries.append(rested[-1])
        if len(tries) == 20:
            raise _Tried
        consumer.connection = Useless() if is_connected else None
        raise failure

    monkeypatch.setattr(consumer.blueprint, "start", fail)
    with pytest.raises(_Tried):
        consumer.start()
    assert set(told) == {reason}
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert min(pauses) >= 1
    assert 3 <= max(pauses) < 3.3


def test_who_consumes_again_tells_the_application_and_is_prompt_the_next_time() -> None:
    heard: list[bool] = []
    app = GatewayCelery(do=lambda _job_id: True, broker="amqp://nowhere.invalid//")
    app.on_connected = lambda: heard.append(True)
    consumer = _consumer(app)
    consumer.failures = 9
    consumer.on_ready()
    assert (heard, consumer.failures) == ([True], 0)
