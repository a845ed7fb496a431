"""What becomes of a delivery that is given up, or whose outcome nobody knows, and what a person can say of it."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import (
    Ambiguous,
    Conflict,
    Permanent,
    Transient,
    Unanswered,
    Unreachable,
)
from gateway.domain.record import Delivery
from gateway.domain.work import Job, JobKind
from gateway.services import delivery as sending
from gateway.services import delivery_control, egress
from gateway.services.work import Settlement, run_job
from gateway.store import deliveries
from gateway.store.tables import outbox as outbox_table
from tests.unit.gateway.services.attempts import OUTSIDE, Destination, attempt, enqueue, put_in, unsettled_job
from tests.unit.gateway.services.scenery import Scenery


@pytest.fixture
def in_doubt(scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch) -> Destination:
    destination = put_in(scenery, images, monkeypatch, Ambiguous("nobody can look", is_for_person=True))
    attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.AMBIGUOUS
    return destination


def test_what_a_person_did_not_find_is_sent_anew(scenery: Scenery, images: Delivery, in_doubt: Destination) -> None:
    delivery_control.resend(scenery.core, images.id, actor="cli:test")
    attempt(scenery, images)
    assert in_doubt.may_have_left == [False, False]
    assert scenery.delivery(images.id).state is DeliveryState.DELIVERED


def test_what_a_person_found_is_delivered_and_not_sent_again(
    scenery: Scenery, images: Delivery, in_doubt: Destination
) -> None:
    delivery_control.confirm(scenery.core, images.id, actor="cli:test")
    attempt(scenery, images)
    assert in_doubt.may_have_left == [False]
    with scenery.core.database.read() as connection:
        receipt = deliveries.receipts(connection, images.case_id)[images.id]
    assert (receipt["status"], receipt["note"]) == ("confirmed", "seen at the destination by cli:test")


def test_what_is_in_doubt_is_looked_for_again_when_a_person_retries_it(
    scenery: Scenery, images: Delivery, in_doubt: Destination
) -> None:
    delivery_control.retry(scenery.core, images.id, actor="cli:test")
    attempt(scenery, images)
    assert in_doubt.may_have_left == [False, True]


def test_retrying_all_of_an_endpoint_takes_what_is_in_doubt_along(
    scenery: Scenery, images: Delivery, in_doubt: Destination
) -> None:
    assert delivery_control.retry_failed(scenery.core, "board-node", actor="cli:test") == [images.id]
    attempt(scenery, images)
    assert in_doubt.may_have_left == [False, True]


def test_only_what_is_in_doubt_is_for_a_person_to_say(scenery: Scenery, images: Delivery) -> None:
    for decide in (delivery_control.resend, delivery_control.confirm):
        with pytest.raises(Conflict, match="is pending, not ambiguous"):
            decide(scenery.core, images.id, actor="cli:test")


def test_after_the_deadline_a_person_is_asked(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(scenery, images, monkeypatch, Unreachable("no connection"), Unreachable("no connection"))
    attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.PENDING
    scenery.clock.forward(seconds=timedelta(hours=73).total_seconds())
    job_id = unsettled_job(scenery, images)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=OUTSIDE)})
    assert scenery.delivery(images.id).state is DeliveryState.FAILED


def test_after_the_deadline_what_may_have_left_stays_in_doubt(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(scenery, images, monkeypatch, Unanswered("no answer"), Unreachable("no connection"))
    attempt(scenery, images)
    scenery.clock.forward(seconds=timedelta(hours=73).total_seconds())
    job_id = unsettled_job(scenery, images)
    run_job(scenery.core, job_id, {JobKind.DELIVERY_SEND: lambda job: sending.send(scenery.core, job, outside=OUTSIDE)})
    given_up = scenery.delivery(images.id)
    assert (given_up.state, given_up.waits_for) == (
        DeliveryState.AMBIGUOUS,
        "an administrator: Unreachable: no connection",
    )


def test_what_a_worker_that_is_gone_sent_last_may_not_show_yet(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = put_in(scenery, images, monkeypatch, Transient("busy"))
    scenery.claimed(JobKind.DELIVERY_SEND, images.id)
    assert egress.grant(scenery.core, images.id) is not None
    job_id = unsettled_job(scenery, images)
    handlers = {JobKind.DELIVERY_SEND: partial(_do, scenery)}
    for _ in range(2):
        scenery.clock.forward(minutes=20)
        assert run_job(scenery.core, job_id, handlers)
    assert destination.may_have_left == [True, True]
    assert destination.has_just_left == [True, False]


def _do(scenery: Scenery, job: Job) -> Settlement | None:
    return sending.send(scenery.core, job, outside=OUTSIDE)


def test_a_refusal_does_not_end_the_doubt(scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question whether it arrived may be what was refused."""
    put_in(scenery, images, monkeypatch, Unanswered("no answer"), Permanent("no such password"))
    attempt(scenery, images)
    attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.AMBIGUOUS


def test_what_took_its_workers_with_it_may_have_left(scenery: Scenery, images: Delivery) -> None:
    """Each of them ended without a word, under a grant."""
    assert egress.grant(scenery.core, images.id) is not None
    job_id = enqueue(scenery, images)
    with scenery.core.database.write("test") as connection:
        worn_out = {"attempts": scenery.core.retry.max_unended + 1}
        connection.execute(update(outbox_table).where(outbox_table.c.id == job_id).values(worn_out))
    assert run_job(scenery.core, job_id, {})
    assert scenery.delivery(images.id).state is DeliveryState.AMBIGUOUS


def test_what_a_person_retries_has_its_whole_deadline_before_it(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(scenery, images, monkeypatch, *[Unreachable("no connection")] * 2)
    attempt(scenery, images)
    scenery.clock.forward(hours=73)
    delivery_control.retry(scenery.core, images.id, actor="cli:test")
    attempt(scenery, images)
    assert scenery.delivery(images.id).state is DeliveryState.PENDING
