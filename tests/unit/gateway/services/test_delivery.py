"""What a delivery knows of its earlier attempts, what a person can say of them, and what silence does."""

from collections.abc import Callable
from contextlib import suppress
from typing import cast

import pytest
import structlog
from sqlalchemy import update

from gateway.domain import hooks
from gateway.domain.breaker import CLOSED, Breaker
from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import (
    Ambiguous,
    GatewayError,
    NotYet,
    Permanent,
    Transient,
    Unanswered,
    Unreachable,
)
from gateway.domain.record import Delivery
from gateway.domain.work import Job
from gateway.services import delivery as sending
from gateway.services import delivery_control, egress
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.sending import Sending
from gateway.store import audit, breakers, deliveries
from gateway.store.tables import outbox as outbox_table
from tests.unit.gateway.services.attempts import Exit, attempt, put_in
from tests.unit.gateway.services.scenery import Scenery


def test_a_destination_that_was_not_reached_has_nothing(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = put_in(scenery, images, monkeypatch, Unreachable("no connection"))
    attempt(scenery, images)
    attempt(scenery, images)
    assert destination.may_have_left == [False, False]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


def test_the_log_names_the_destination_and_what_it_answered(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(scenery, images, monkeypatch, Unreachable("no connection"))
    with structlog.testing.capture_logs() as lines:
        attempt(scenery, images)
        attempt(scenery, images)
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
    destination = put_in(scenery, images, monkeypatch, Ambiguous("no answer"), Unreachable("no connection"))
    for _ in range(3):
        attempt(scenery, images)
    assert destination.may_have_left == [False, True, True]


def test_so_does_a_worker_that_ended_without_a_word(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = put_in(scenery, images, monkeypatch)

    def die(job: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, lambda *_: die(cast(Job, None))))
    with pytest.raises(KeyboardInterrupt):
        attempt(scenery, images)
    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, destination))
    scenery.clock.forward(seconds=120)
    attempt(scenery, images)
    assert destination.may_have_left == [True]


def test_what_was_sent_and_could_not_be_settled_is_looked_for(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = put_in(scenery, images, monkeypatch)

    def refuse(name: str) -> None:
        if name == "job.settle.before_commit":
            raise Transient("the database is busy")

    hooks.observe(refuse)
    try:
        with pytest.raises(Transient), structlog.testing.capture_logs() as lines:
            attempt(scenery, images)
    finally:
        hooks.forget(refuse)
    assert "delivery.delivered" not in [line["event"] for line in lines]
    assert scenery.delivery(images.id).state is DeliveryState.PENDING
    scenery.clock.forward(seconds=120)
    attempt(scenery, images)
    assert destination.may_have_left == [False, True]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("error", [Ambiguous("not there yet"), Unanswered("no answer"), RuntimeError("ours")])
def test_what_may_have_left_is_looked_for_although_it_could_not_be_noted(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    destination = put_in(scenery, images, monkeypatch, error)
    refused: list[str] = []

    def refuse_once(name: str) -> None:
        if destination.may_have_left and name.endswith(".before_commit") and not refused:
            refused.append(name)
            raise Transient("the database is busy")

    hooks.observe(refuse_once)
    try:
        with suppress(Transient):
            attempt(scenery, images)
    finally:
        hooks.forget(refuse_once)
    assert refused
    scenery.clock.forward(seconds=120)
    attempt(scenery, images)
    assert destination.may_have_left == [False, True]


def test_an_unexpected_error_leaves_it_open(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = put_in(scenery, images, monkeypatch, RuntimeError("ours"))
    attempt(scenery, images)
    assert scenery.delivery(images.id).is_ambiguous
    attempt(scenery, images)
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
    attempt(scenery, images)
    assert [scenery.delivery(images.id)] == ended
    with scenery.core.database.read() as connection:
        [row] = audit.of_case(connection, images.case_id, actions=["delivery.attempt"])
    assert row.details == {"error": type(error).__name__, "attempt": 1}


def test_what_was_cancelled_on_the_wire_may_have_left(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its order may revive it, and then it is looked for first."""

    def be_cancelled(core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        delivery_control.cancel(core, images.id, actor="cli:test")
        raise Unanswered("no answer")

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, be_cancelled))
    attempt(scenery, images)
    ended = scenery.delivery(images.id)
    assert (ended.state, ended.waits_for, ended.is_ambiguous) == (
        DeliveryState.CANCELLED,
        "cli:test: cancelled it",
        True,
    )


def test_what_arrived_counts_although_the_breaker_could_not_be_closed(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(scenery, images, monkeypatch, Unreachable("away"))
    attempt(scenery, images)

    def refuse(name: str) -> None:
        if name == "destination.answered.before_commit":
            raise Transient("the database is busy")

    hooks.observe(refuse)
    try:
        attempt(scenery, images)
    finally:
        hooks.forget(refuse)
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


def _failures(scenery: Scenery, delivery: Delivery) -> int:
    with scenery.core.database.read() as connection:
        return breakers.by_endpoint(connection, delivery.endpoint_id).failures


@pytest.mark.parametrize("error", [Unreachable("no connection"), Unanswered("no answer")])
def test_silence_counts_against_the_destination_and_an_answer_clears_it(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, error: GatewayError
) -> None:
    put_in(scenery, images, monkeypatch, error)
    attempt(scenery, images)
    assert _failures(scenery, images) == 1
    attempt(scenery, images)
    assert _failures(scenery, images) == 0


@pytest.mark.parametrize("is_permitted", [False, None])
def test_a_probe_that_never_asked_leaves_the_next_one_its_turn(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch, is_permitted: bool | None
) -> None:
    destination = put_in(scenery, images, monkeypatch)
    with scenery.core.database.write("test") as connection:
        now = scenery.clock()
        breakers.keep(connection, images.endpoint_id, Breaker(3, now, now))
    if is_permitted is None:
        monkeypatch.setattr(egress, "grant", _raising(NotYet("the consents contradict themselves")))
    else:
        delivery_control.hold(scenery.core, images.id, "to be looked at", actor="cli:test")
    attempt(scenery, images)
    assert destination.may_have_left == []
    with scenery.core.database.read() as connection:
        assert breakers.by_endpoint(connection, images.endpoint_id).probe_at == now


def _raising(error: GatewayError) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


def test_an_attempt_that_was_taken_over_says_nothing_of_the_delivery(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it met is its own; the one that has taken over may have found better, or may be at it."""

    def lose_the_lease(*_: object) -> Receipt:
        scenery.clock.forward(seconds=61)
        with scenery.core.database.write("test") as connection:
            connection.execute(update(outbox_table).values(lease_owner="another"))
        raise Permanent("no such patient")

    monkeypatch.setitem(sending.EXITS, images.kind, cast(Exit, lose_the_lease))
    attempt(scenery, images)
    left = scenery.delivery(images.id)
    assert (left.state, left.last_error) == (DeliveryState.PENDING, "")


def test_a_refusal_is_an_answer(scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(scenery, images, monkeypatch, Unreachable("no connection"), Permanent("no such patient"))
    attempt(scenery, images)
    attempt(scenery, images)
    with scenery.core.database.read() as connection:
        assert breakers.by_endpoint(connection, images.endpoint_id) == CLOSED


def test_what_is_sent_for_a_case_from_a_backup_is_looked_for_first(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have left after the backup was made, whatever the rows in it say."""
    destination = put_in(scenery, images, monkeypatch, Unreachable("away"), Unreachable("away"))
    attempt(scenery, images)
    with scenery.core.database.write("test") as connection:
        now, case_id = scenery.clock(), scenery.case.id
        audit.record(connection, at=now, actor="test", action=audit.CASE_RESTORED, case_id=case_id)
    scenery.clock.forward(hours=1)
    attempt(scenery, images)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, images.id, now=scenery.clock(), sent_anew_at=scenery.clock())
    scenery.clock.forward(hours=1)
    attempt(scenery, images)
    assert destination.may_have_left == [False, True, False]
