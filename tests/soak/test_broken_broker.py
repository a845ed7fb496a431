"""A broker that lets nobody in, or that cannot be worked with, is waited for; the worker says why, and works again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.work import JobKind
from gateway.store.engine import Database
from tests.integration.workers.yard import (
    ENDS_WITHIN_S,
    PATIENCE_S,
    Yard,
    assert_patient,
    is_sealed,
    record,
    troubles,
    until_told,
)
from tests.peers.processes import LOOPBACK, wait_until
from tests.peers.rabbitmq import RabbitMQ
from tests.programs import Program

USER, PLACE = "consilium", "second-opinion"

pytestmark = pytest.mark.timeout(500)


def let_in(broker: RabbitMQ) -> None:
    """What an administrator does at the first start, and after a wipe."""
    broker.control("add_user", USER, "secret")
    broker.control("add_vhost", PLACE)
    let_work(broker)


def let_work(broker: RabbitMQ, configure: str = ".*", write: str = ".*") -> None:
    broker.control("set_permissions", "--vhost", PLACE, USER, configure, write, ".*")


@pytest.fixture
def own_broker() -> Iterator[RabbitMQ]:
    with RabbitMQ() as broker:
        let_in(broker)
        yield broker


@pytest.fixture
def yard(tmp_path: Path, database: Database, own_broker: RabbitMQ) -> Iterator[Yard]:
    opened = Yard(tmp_path, database, own_broker)
    yield opened
    opened.close()


def url(broker: RabbitMQ) -> str:
    return f"amqp://{USER}:secret@{LOOPBACK}:{broker.port}/{PLACE}"


def started(yard: Yard, broker: RabbitMQ) -> Program:
    yard.open_gate()
    return yard.worker("worker", CONSILIUM_BROKER_URL=url(broker))


def test_a_wiped_broker_whose_user_comes_back_later(yard: Yard, own_broker: RabbitMQ) -> None:
    worker = started(yard, own_broker)
    yard.until_done(yard.enqueue(JobKind.DELIVERY_SEND, 1), "the first job")
    own_broker.kill()
    own_broker.wipe()
    own_broker.start()
    jobs = yard.enqueue(JobKind.STUDY_SETTLE, 2)
    until_told(yard, "403")
    assert_patient(worker, "403")
    own_broker.control("add_user", USER, "secret")
    until_told(yard, "530")  # its virtual host is gone as well
    own_broker.control("add_vhost", PLACE)
    let_work(own_broker)
    yard.until_done(jobs, "what waited")
    wait_until(lambda: not troubles(yard), timeout_s=PATIENCE_S, waiting_for="the worker to be at work")


def test_rights_that_were_taken_away_from_the_one_who_rings(yard: Yard, own_broker: RabbitMQ) -> None:
    """It consumes still; only the relay is refused."""
    worker = started(yard, own_broker)
    yard.until_done(yard.enqueue(JobKind.DELIVERY_SEND, 1), "the first job")
    let_work(own_broker, write="nothing")
    jobs = yard.enqueue(JobKind.STUDY_SETTLE, 2)
    until_told(yard, "ACCESS_REFUSED")
    assert worker.is_running
    let_work(own_broker)
    yard.until_done(jobs, "what waited")


def seals_and_says(yard: Yard, reason: str) -> None:
    """The relay goes on without the broker, and tells why it rings for nobody."""
    until_told(yard, reason)
    record(yard)
    wait_until(lambda: is_sealed(yard), timeout_s=PATIENCE_S, waiting_for="the relay to seal")


def test_a_broker_that_stands_still_while_its_machine_answers(yard: Yard, own_broker: RabbitMQ) -> None:
    """The relay says so and goes on sealing; a worker ends when told, and afterwards everything is done."""
    worker = started(yard, own_broker)
    yard.until_done(yard.enqueue(JobKind.DELIVERY_SEND, 1), "the first job")
    own_broker.stand_still()
    jobs = yard.enqueue(JobKind.STUDY_SETTLE, 2)
    seals_and_says(yard, "the broker has confirmed nothing")
    worker.stop(timeout_s=ENDS_WITHIN_S)
    assert worker.exit_code == 0, worker.log()
    next_one = yard.worker("next", CONSILIUM_BROKER_URL=url(own_broker))
    until_told(yard, "timed out")
    assert next_one.is_running
    own_broker.go_on()
    yard.until_done(jobs, "what waited")
    wait_until(lambda: not troubles(yard), timeout_s=PATIENCE_S, waiting_for="the worker to be at work")


def test_a_broker_without_memory(yard: Yard, own_broker: RabbitMQ) -> None:
    """The relay says so and goes on sealing, rings when there is room, and ends when told in the middle of it."""
    worker = started(yard, own_broker)
    yard.until_done(yard.enqueue(JobKind.DELIVERY_SEND, 1), "the first job")
    own_broker.run_out_of_memory()
    jobs = yard.enqueue(JobKind.DELIVERY_SEND, 2)
    seals_and_says(yard, "rabbitmq-diagnostics alarms")
    assert yard.begun(jobs) == []
    own_broker.have_memory()
    yard.until_done(jobs, "what waited")
    own_broker.run_out_of_memory()
    yard.enqueue(JobKind.STUDY_SETTLE, 2)
    worker.stop(timeout_s=ENDS_WITHIN_S)
    assert worker.exit_code == 0, worker.log()
