"""A person holds a delivery back, whatever the consents say, and lets it go on."""

from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from gateway.domain.delivery import DeliveryState, Receipt
from gateway.domain.errors import Conflict
from gateway.domain.record import Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery as sending
from gateway.services import delivery_control, egress
from gateway.services.core import Core
from gateway.services.outside import Outside
from gateway.services.sending import Permission, Sending
from gateway.services.work import run_job
from gateway.store import deliveries, outbox
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

ACTOR = "cli:test"
WHY = "the reviewer is on holiday"


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    scenery.consent(DISCLOSE)
    return scenery.images("1.1")


def _hold(scenery: Scenery, delivery: Delivery) -> None:
    delivery_control.hold(scenery.core, delivery.id, WHY, actor=ACTOR)


def _sent(scenery: Scenery, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What leaves when a worker takes up whatever job the delivery has."""
    left: list[str] = []

    def take(core: Core, attempt: Sending, _outside: Outside) -> Receipt:
        left.append(attempt.delivery.id)
        return Receipt(core.now(), "0x0000", "NODE", attempt.delivery.payload_sha256)

    monkeypatch.setitem(sending.EXITS, delivery.kind, take)
    with scenery.core.database.read() as connection:
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id)
    assert job is not None
    outside = cast(Outside, None)
    run_job(scenery.core, job.id, {JobKind.DELIVERY_SEND: lambda one: sending.send(scenery.core, one, outside=outside)})
    return left


def test_what_a_person_holds_back_stays_although_consent_permits(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hold(scenery, images)
    with scenery.core.database.write("test") as connection:
        egress.enqueue_next(connection, images, now=scenery.clock())
    assert _sent(scenery, images, monkeypatch) == []
    held = scenery.delivery(images.id)
    assert (held.state, held.stopped_by, held.waits_for) == (DeliveryState.HELD, ACTOR, f"{ACTOR}: {WHY}")


def test_a_consent_that_comes_does_not_let_it_go(scenery: Scenery, images: Delivery) -> None:
    _hold(scenery, images)
    scenery.consent(DISCLOSE)
    assert scenery.delivery(images.id).state is DeliveryState.HELD


def test_the_way_on_is_shown(scenery: Scenery, images: Delivery) -> None:
    _hold(scenery, images)
    [who] = [who for what, who in scenery.waits().items() if WHY in what]
    assert f"consilium delivery release|cancel {images.id}" in who


def test_released_it_is_decided_anew_and_leaves(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hold(scenery, images)
    delivery_control.release(scenery.core, images.id, actor=ACTOR)
    assert _sent(scenery, images, monkeypatch) == [images.id]


def test_released_without_a_consent_it_waits_for_one(scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    consent = scenery.consent(DISCLOSE)
    images = scenery.images("1.1")
    _hold(scenery, images)
    scenery.consent(DISCLOSE, status="inactive", of=consent)
    assert scenery.delivery(images.id).waits_for == f"{ACTOR}: {WHY}"
    delivery_control.release(scenery.core, images.id, actor=ACTOR)
    assert _sent(scenery, images, monkeypatch) == []
    held = scenery.delivery(images.id)
    assert (held.state, held.stopped_by) == (DeliveryState.HELD, None)
    assert held.waits_for.startswith("the clinic")


def test_what_runs_under_a_grant_ends(scenery: Scenery, images: Delivery) -> None:
    granted, job = egress.grant(scenery.core, images.id), scenery.claimed(JobKind.DELIVERY_SEND, images.id)
    assert granted is not None
    _hold(scenery, images)
    with Permission(scenery.core, job, granted) as permission, pytest.raises(Conflict, match="nothing more is sent"):
        permission.require(images.payload_sha256)


def test_retrying_what_failed_decides_anew(scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    consent = scenery.consent(DISCLOSE)
    images = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, images.id, now=scenery.clock(), state=DeliveryState.FAILED)
    scenery.consent(DISCLOSE, status="inactive", of=consent)
    delivery_control.retry(scenery.core, images.id, actor=ACTOR)
    assert _sent(scenery, images, monkeypatch) == []
    held = scenery.delivery(images.id)
    assert held.state is DeliveryState.HELD
    assert held.waits_for.startswith("the clinic")


def test_retrying_does_not_get_round_it(scenery: Scenery, images: Delivery) -> None:
    _hold(scenery, images)
    with pytest.raises(Conflict, match=f"{ACTOR} holds it back; .*consilium delivery release {images.id}"):
        delivery_control.retry(scenery.core, images.id, actor="cli:another")
    with pytest.raises(Conflict, match=f"is held back by {ACTOR} already"):
        _hold(scenery, images)


def test_only_what_is_held_by_a_person_is_released(scenery: Scenery, images: Delivery) -> None:
    with pytest.raises(Conflict, match="nobody holds"):
        delivery_control.release(scenery.core, images.id, actor=ACTOR)


def test_what_was_cancelled_is_not_released(scenery: Scenery, images: Delivery) -> None:
    _hold(scenery, images)
    delivery_control.cancel(scenery.core, images.id, actor=ACTOR)
    with pytest.raises(Conflict, match="it is cancelled"):
        delivery_control.release(scenery.core, images.id, actor=ACTOR)
    ended = scenery.delivery(images.id)
    assert (ended.state, ended.stopped_by) == (DeliveryState.CANCELLED, None)


def test_what_arrived_although_it_was_held_is_not_released(scenery: Scenery, images: Delivery) -> None:
    """The last request was on the wire when the person spoke, and the destination took it."""
    _hold(scenery, images)
    with scenery.core.database.write("test") as connection:
        deliveries.set_receipt(connection, images.id, Receipt(scenery.clock(), "0x0000", "NODE", "0" * 64))
    with pytest.raises(Conflict, match="it is delivered"):
        delivery_control.release(scenery.core, images.id, actor=ACTOR)
    assert scenery.delivery(images.id).stopped_by is None


@pytest.mark.parametrize("state", [DeliveryState.CANCELLED, DeliveryState.DELIVERED])
def test_what_ended_with_its_hold_is_neither_released_nor_told_how(
    scenery: Scenery, images: Delivery, state: DeliveryState
) -> None:
    """An earlier version of the gateway kept who had held it."""
    _hold(scenery, images)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, images.id, now=scenery.clock(), state=state)
    with pytest.raises(Conflict, match=f"it is {state}"):
        delivery_control.release(scenery.core, images.id, actor=ACTOR)
    with pytest.raises(Conflict, match=f"{images.id} is {state}"):
        delivery_control.retry(scenery.core, images.id, actor=ACTOR)
    assert "release" not in str(scenery.waits())


def test_what_has_arrived_is_not_held(scenery: Scenery, images: Delivery) -> None:
    with scenery.core.database.write("test") as connection:
        deliveries.set_receipt(connection, images.id, Receipt(scenery.clock(), "0x0000", "NODE", "0" * 64))
    with pytest.raises(Conflict, match="is delivered"):
        _hold(scenery, images)


@pytest.mark.parametrize("decide", [delivery_control.cancel, delivery_control.confirm])
def test_what_a_person_ends_lets_the_next_version_go(scenery: Scenery, decide: Callable[..., None]) -> None:
    scenery.study("matched")
    first, second = scenery.report_to_pacs(1), scenery.report_to_pacs(2)
    job = scenery.claimed(JobKind.DELIVERY_SEND, second.id)
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, first.id, now=scenery.clock(), state=DeliveryState.AMBIGUOUS)
        outbox.postpone(connection, job, next_try_at=scenery.clock() + timedelta(minutes=15), error="NotYet: in turn")
    decide(scenery.core, first.id, actor=ACTOR)
    with scenery.core.database.read() as connection:
        waiting = outbox.unsettled(connection, JobKind.DELIVERY_SEND, second.id)
    assert waiting is not None and waiting.next_try_at == scenery.clock()
