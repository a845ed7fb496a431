"""With a broker: long work of one kind holds back no other kind, and a worker does what it was told to."""

import pytest
from kombu import Connection, Queue

from gateway.domain.work import JobKind
from tests.integration.workers.yard import PATIENCE_S, THREADS, Yard, assert_patient, until_told
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.timeout(500)


def test_a_long_de_identification_holds_back_no_delivery(yard: Yard) -> None:
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 4 * THREADS)
    yard.worker("worker")
    wait_until(lambda: len(yard.begun(studies)) == THREADS, timeout_s=PATIENCE_S, waiting_for="all threads to be busy")
    deliveries = yard.enqueue(JobKind.DELIVERY_SEND, 5)
    yard.until_done(deliveries, "the deliveries")
    assert len(yard.begun(studies)) == THREADS
    yard.open_gate()
    yard.until_done(studies, "the studies")


def test_what_one_busy_worker_has_not_begun_goes_to_the_other(yard: Yard) -> None:
    """One message of the queue waits at most at a busy worker."""
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 2 * THREADS + 1)
    yard.worker("first")
    wait_until(lambda: len(yard.begun(studies)) == THREADS, timeout_s=PATIENCE_S, waiting_for="the first to be busy")
    yard.worker("second", CONSILIUM_WORKER__RELAY="false")
    wait_until(lambda: len(yard.begun(studies)) == 2 * THREADS, timeout_s=PATIENCE_S, waiting_for="both to be busy")
    yard.open_gate()
    yard.until_done(studies, "the studies")


def test_a_worker_does_the_kinds_of_work_it_was_told_to(yard: Yard) -> None:
    yard.open_gate()
    studies = yard.enqueue(JobKind.STUDY_RELEASE, 1)
    deliveries = yard.enqueue(JobKind.DELIVERY_SEND, 3)
    yard.worker("sender", CONSILIUM_WORKER__QUEUES='["deliver"]')
    yard.until_done(deliveries, "the deliveries")
    assert yard.begun(studies) == []
    yard.worker("other", CONSILIUM_WORKER__QUEUES='["deidentify"]', CONSILIUM_WORKER__RELAY="false")
    yard.until_done(studies, "the studies")


def test_a_queue_that_was_declared_otherwise(yard: Yard, broker: RabbitMQ) -> None:
    with Connection(broker.url) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
        channel = connection.default_channel
        other = Queue("match", channel=channel, durable=True)  # type: ignore[no-untyped-call]  # kombu has no types
        other.delete()  # type: ignore[no-untyped-call]  # what earlier workers declared
        other.queue_declare()  # type: ignore[no-untyped-call]  # kombu has no types
        yard.open_gate()
        worker = yard.worker("worker")
        jobs = yard.enqueue(JobKind.STUDY_SETTLE, 2)
        until_told(yard, "PRECONDITION_FAILED")
        assert_patient(worker, "PRECONDITION_FAILED")
        other.delete()  # type: ignore[no-untyped-call]  # kombu has no types
    yard.until_done(jobs, "what waited")
