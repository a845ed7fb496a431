"""What a delivery knows of its earlier attempts, what a person can say of them, and what silence does."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import cast

import pytest
import structlog

from gateway.domain import hooks
from gateway.domain.breaker import CLOSED
from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Ambiguous, Conflict, GatewayError, Permanent, Transient, Unanswered, Unreachable
from gateway.domain.record import Delivery
from gateway.domain.work import Job, JobKind
from gateway.services import delivery as sending
from gateway.services import delivery_control
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.sending import Sending
from gateway.services.work import run_job
from gateway.store import audit, breakers, deliveries, outbox
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

OUTSIDE = cast(Outside, None)
"""The exit of these tests is replaced, and asks for nothing."""
Exit = Callable[[Core, Sending, Outside], Receipt]


class _Destination:
    """Fails with each of the errors in turn, then takes what it is sent; remembers what each attempt knew."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.may_have_left: list[bool] = []

    def __call__(self, core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        self.may_have_left.append(attempt.may_have_left)
        if self.errors:
            raise self.errors.pop(0)
        return Receipt(core.now(), "0x0000", "NODE", attempt.delivery.payload_sha256)


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    scenery.consent(DISCLOSE)
    return scenery.images("1.1")


def _put_in(scenery: Scenery, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> _Destination:
    destination = _Destination(*errors)
    monkeypatch.setitem(sending.EXITS, delivery.kind, cast(Exit, destination))
    _enqueue(scenery, delivery)
    return destination


def _enqueue(scenery: Scenery, delivery: Delivery) -> str:
    with scenery.core.database.write("test") as connection:
        now, endpoint_id = scenery.clock(), delivery.endpoint_id
        kind, case_id = JobKind.DELIVERY_SEND, delivery.case_id
        return outbox.enqueue(connection, kind, delivery.id, case_id=case_id, now=now, endpoint_id=endpoint_id)


def _attempt(scenery: Scenery, delivery: Delivery) -> None:
    job_id = _enqueue(scenery, delivery)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=OUTSIDE)})
    scenery.clock.forward(seconds=5)


def test_a_destination_that_was_not_reached_has_nothing(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _put_in(scenery, images, monkeypatch, Unreachable("no connection"))
    _attempt(scenery, images)
    _attempt(scenery, images)
    assert destination.may_have_left == [False, False]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


def test_the_log_names_the_destination_and_what_it_answered(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in(scenery, images, monkeypatch, Unreachable("no connection"))
    with structlog.testing.capture_logs() as lines:
        _attempt(scenery, images)
        _attempt(scenery, images)
    told = [(line["event"], line.get("endpoint"), line.get("status")) for line in lines]
    endpoint = images.endpoint_id
    assert told == [
        ("job.failed", endpoint, None),
        ("delivery.delivered", endpoint, "0x0000"),
        ("job.done", endpoint, None),
    ]


def test_an_answer_that_did_not_come_leaves_it_open(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _put_in(scenery, images, monkeypatch, Ambiguous("no answer"), Unreachable("no connection"))
    for _ in range(3):
        _attempt(scenery, images)
    assert destination.may_have_left == [False, True, True]


def test_so_does_a_worker_that_ended_without_a_word(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _put_in(scenery, images, monkeypatch)

    def die(job: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, lambda *_: die(cast(Job, None))))
    with pytest.raises(KeyboardInterrupt):
        _attempt(scenery, images)
    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, destination))
    scenery.clock.forward(seconds=120)
    _attempt(scenery, images)
    assert destination.may_have_left == [True]


def test_what_was_sent_and_could_not_be_settled_is_looked_for(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _put_in(scenery, images, monkeypatch)

    def refuse(name: str) -> None:
        if name == "job.settle.before_commit":
            raise Transient("the database is busy")

    hooks.observe(refuse)
    try:
        with pytest.raises(Transient), structlog.testing.capture_logs() as lines:
            _attempt(scenery, images)
    finally:
        hooks.forget(refuse)
    assert "delivery.delivered" not in [line["event"] for line in lines]
    assert scenery.delivery(images.id).state is DeliveryState.PENDING
    scenery.clock.forward(seconds=120)
    _attempt(scenery, images)
    assert destination.may_have_left == [False, True]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("error", [Ambiguous("not there yet"), Unanswered("no answer"), RuntimeError("ours")])
def test_what_may_have_left_is_looked_for_although_it_could_not_be_noted(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    destination = _put_in(scenery, images, monkeypatch, error)
    refused: list[str] = []

    def refuse_once(name: str) -> None:
        if destination.may_have_left and name.endswith(".before_commit") and not refused:
            refused.append(name)
            raise Transient("the database is busy")

    hooks.observe(refuse_once)
    try:
        with suppress(Transient):
            _attempt(scenery, images)
    finally:
        hooks.forget(refuse_once)
    assert refused
    scenery.clock.forward(seconds=120)
    _attempt(scenery, images)
    assert destination.may_have_left == [False, True]


def test_an_unexpected_error_leaves_it_open(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = _put_in(scenery, images, monkeypatch, RuntimeError("ours"))
    _attempt(scenery, images)
    assert scenery.delivery(images.id).is_ambiguous
    _attempt(scenery, images)
    assert destination.may_have_left == [False, True]


@pytest.mark.parametrize("error", [Ambiguous("no answer"), RuntimeError("ours"), Permanent("refused")])
def test_a_worker_that_lost_its_lease_leaves_what_has_arrived_as_it_is(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ended: list[Delivery] = []

    def fail_late(core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        receipt = Receipt(core.now(), "0x0000", "NODE", attempt.delivery.payload_sha256)
        with core.database.write("test") as connection:  # the worker that took it over has arrived meanwhile
            deliveries.set_receipt(connection, images.id, receipt, attempts=7)
            ended.append(deliveries.by_id(connection, images.id))
        raise error

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, fail_late))
    _attempt(scenery, images)
    assert [scenery.delivery(images.id)] == ended
    with scenery.core.database.read() as connection:
        [row] = audit.of_case(connection, images.case_id, actions=["delivery.attempt"])
    assert row.details == {"error": type(error).__name__, "attempt": 1}


def test_what_was_cancelled_on_the_wire_may_have_left(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order may revive it, and then it is looked for first."""

    def be_cancelled(core: Core, _attempt: Sending, _outside: Outside) -> Receipt:
        delivery_control.cancel(core, images.id, actor="cli:test")
        raise Unanswered("no answer")

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, be_cancelled))
    _attempt(scenery, images)
    ended = scenery.delivery(images.id)
    assert (ended.state, ended.waits_for, ended.is_ambiguous) == (
        DeliveryState.CANCELLED,
        "cli:test: cancelled it",
        True,
    )


def test_what_arrived_counts_although_the_breaker_could_not_be_closed(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in(scenery, images, monkeypatch, Unreachable("away"))
    _attempt(scenery, images)

    def refuse(name: str) -> None:
        if name == "destination.answered.before_commit":
            raise Transient("the database is busy")

    hooks.observe(refuse)
    try:
        _attempt(scenery, images)
    finally:
        hooks.forget(refuse)
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


@pytest.fixture
def in_doubt(scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch) -> _Destination:
    destination = _put_in(scenery, images, monkeypatch, Ambiguous("nobody can look", is_for_person=True))
    _attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.AMBIGUOUS
    return destination


def test_what_a_person_did_not_find_is_sent_anew(scenery: Scenery, images: Delivery, in_doubt: _Destination) -> None:
    delivery_control.resend(scenery.core, images.id, actor="cli:test")
    _attempt(scenery, images)
    assert in_doubt.may_have_left == [False, False]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


def test_what_a_person_found_is_delivered_and_not_sent_again(
    scenery: Scenery, images: Delivery, in_doubt: _Destination
) -> None:
    delivery_control.confirm(scenery.core, images.id, actor="cli:test")
    _attempt(scenery, images)
    assert in_doubt.may_have_left == [False]
    with scenery.core.database.read() as connection:
        receipt = deliveries.receipts(connection, images.case_id)[images.id]
    assert (receipt["status"], receipt["note"]) == ("confirmed", "seen at the destination by cli:test")


def test_what_is_in_doubt_is_not_simply_tried_again(scenery: Scenery, images: Delivery, in_doubt: _Destination) -> None:
    with pytest.raises(Conflict, match=f"consilium delivery confirm|resend {images.id}"):
        delivery_control.retry(scenery.core, images.id, actor="cli:test")
    assert in_doubt.may_have_left == [False]


def test_only_what_is_in_doubt_is_for_a_person_to_say(scenery: Scenery, images: Delivery) -> None:
    for decide in (delivery_control.resend, delivery_control.confirm):
        with pytest.raises(Conflict, match="is pending, not ambiguous"):
            decide(scenery.core, images.id, actor="cli:test")


def _failures(scenery: Scenery, delivery: Delivery) -> int:
    with scenery.core.database.read() as connection:
        return breakers.by_endpoint(connection, delivery.endpoint_id).failures


@pytest.mark.parametrize("error", [Unreachable("no connection"), Unanswered("no answer")])
def test_silence_counts_against_the_destination_and_an_answer_clears_it(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, error: GatewayError
) -> None:
    _put_in(scenery, images, monkeypatch, error)
    _attempt(scenery, images)
    assert _failures(scenery, images) == 1
    _attempt(scenery, images)
    assert _failures(scenery, images) == 0


def test_a_refusal_is_an_answer(scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    _put_in(scenery, images, monkeypatch, Unreachable("no connection"), Permanent("no such patient"))
    _attempt(scenery, images)
    _attempt(scenery, images)
    with scenery.core.database.read() as connection:
        assert breakers.by_endpoint(connection, images.endpoint_id) == CLOSED


def test_after_the_deadline_a_person_is_asked(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in(scenery, images, monkeypatch, Unreachable("no connection"), Unreachable("no connection"))
    _attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.PENDING
    scenery.clock.forward(seconds=timedelta(hours=73).total_seconds())
    job_id = _enqueue_unmoved(scenery, images)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=OUTSIDE)})
    assert scenery.delivery(images.id).state is DeliveryState.FAILED


def test_what_a_person_retries_has_its_whole_deadline_before_it(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in(scenery, images, monkeypatch, *[Unreachable("no connection")] * 2)
    _attempt(scenery, images)
    scenery.clock.forward(hours=73)
    delivery_control.retry(scenery.core, images.id, actor="cli:test")
    _attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.PENDING


def _enqueue_unmoved(scenery: Scenery, delivery: Delivery) -> str:
    with scenery.core.database.read() as connection:
        row = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
    assert row is not None
    return str(row.id)


def test_what_is_sent_for_a_case_from_a_backup_is_looked_for_first(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have left after the backup was made, whatever the rows in it say."""
    destination = _put_in(scenery, images, monkeypatch, Unreachable("away"), Unreachable("away"))
    _attempt(scenery, images)
    with scenery.core.database.write("test") as connection:
        now, case_id = scenery.clock(), scenery.case.id
        audit.record(connection, at=now, actor="test", action=audit.CASE_RESTORED, case_id=case_id)
    scenery.clock.forward(hours=1)
    _attempt(scenery, images)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, images.id, now=scenery.clock(), sent_anew_at=scenery.clock())
    scenery.clock.forward(hours=1)
    _attempt(scenery, images)
    assert destination.may_have_left == [False, True, False]
