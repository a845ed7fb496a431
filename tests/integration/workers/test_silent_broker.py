"""A broker that is there and confirms nothing is not waited for; what a whole worker does then, `make soak` tells."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from celery import current_app

from gateway.domain.work import QUEUES, JobKind
from gateway.store.engine import Database
from tests.integration.workers.yard import PATIENCE_S
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ
from workers import transport
from workers.dispatch import Broker, celery_settings
from workers.tasks import GatewayCelery

pytestmark = pytest.mark.timeout(500)
SENDING = JobKind.DELIVERY_SEND


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


@pytest.mark.usefixtures("application")
def test_what_is_not_confirmed_is_told_again_over_a_new_connection(database: Database, broker: RabbitMQ) -> None:
    """Without confirmations it would be taken for told: the message lies in a socket that nobody reads."""
    dispatcher = Broker(database, in_flight=3, now=_now)
    broker.run_out_of_memory()
    assert not dispatcher.dispatch(SENDING, "job-1")
    assert "rabbitmq-diagnostics alarms" in dispatcher.waiting.reason
    assert dispatcher.room() == {}
    broker.have_memory()
    wait_until(dispatcher.room, timeout_s=PATIENCE_S, waiting_for="the end of the pause")
    assert dispatcher.dispatch(SENDING, "job-1")
    assert dispatcher.waiting.reason == ""
    assert set(dispatcher.room()) == set(QUEUES.values())
