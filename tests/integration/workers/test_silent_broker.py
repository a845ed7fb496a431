"""A broker that is there and confirms nothing: the relay says so, goes on sealing, ends when told, and rings again."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery import current_app

from gateway.domain.work import QUEUES, JobKind
from gateway.store.engine import Database
from tests.integration.workers.yard import ENDS_WITHIN_S, PATIENCE_S, Yard, is_sealed, record, until_told
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ
from workers import transport
from workers.dispatch import Broker, celery_settings
from workers.tasks import GatewayCelery

pytestmark = pytest.mark.timeout(500)
SENDING = JobKind.DELIVERY_SEND


@pytest.fixture
def full_broker(broker: RabbitMQ) -> Iterator[RabbitMQ]:
    """It has no memory left, as long as the test does not give it some."""
    broker.run_out_of_memory()
    yield broker
    broker.have_memory()


@pytest.fixture
def application(broker: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayCelery]:
    """Publishes as a worker does, and waits for a second."""
    monkeypatch.setattr(transport, "ANSWERS_WITHIN_S", 1.0)
    before = current_app._get_current_object()
    application = GatewayCelery(do=lambda _job_id: True, broker=broker.url)
    application.conf.update(celery_settings(broker.url))
    yield application
    application.close()
    before.set_current()


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.usefixtures("application", "full_broker")
def test_what_is_not_confirmed_counts_as_not_told(database: Database) -> None:
    """Without confirmations it would be taken for told: the message lies in a socket that nobody reads."""
    dispatcher = Broker(database, in_flight=3, now=_now)
    assert not dispatcher.dispatch(SENDING, "job-1")
    assert "rabbitmq-diagnostics alarms" in dispatcher.waiting.reason
    assert dispatcher.room() == {}


@pytest.mark.usefixtures("application")
def test_it_is_told_again_over_a_new_connection_once_there_is_room(database: Database, full_broker: RabbitMQ) -> None:
    dispatcher = Broker(database, in_flight=3, now=_now)
    assert not dispatcher.dispatch(SENDING, "job-1")
    full_broker.have_memory()
    wait_until(dispatcher.room, timeout_s=PATIENCE_S, waiting_for="the end of the pause")
    assert dispatcher.dispatch(SENDING, "job-1")
    assert dispatcher.waiting.reason == ""
    assert set(dispatcher.room()) == set(QUEUES.values())


def test_a_relay_says_what_it_waits_for_goes_on_sealing_and_ends_when_told(yard: Yard, full_broker: RabbitMQ) -> None:
    yard.open_gate()
    worker = yard.worker("worker")
    jobs = yard.enqueue(SENDING, 2)
    until_told(yard, "rabbitmq-diagnostics alarms")
    record(yard)
    wait_until(lambda: is_sealed(yard), timeout_s=PATIENCE_S, waiting_for="the relay to seal")
    assert yard.begun(jobs) == []
    full_broker.have_memory()
    yard.until_done(jobs, "what waited")
    full_broker.run_out_of_memory()
    yard.enqueue(JobKind.STUDY_SETTLE, 2)
    worker.stop(timeout_s=ENDS_WITHIN_S)
    assert worker.exit_code == 0, worker.log()
