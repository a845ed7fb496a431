"""Each queue has threads of its own, and nothing of Celery's for messages that wait is declared."""

import threading

from workers.pools import PromptConsumer, queue_pools

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
    steps = PromptConsumer.Blueprint.default_steps
    assert "celery.worker.consumer.tasks:Tasks" in steps
    assert not any("delayed" in step for step in steps)
