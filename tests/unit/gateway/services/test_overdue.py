"""A deadline holds for what waits behind a destination that is left alone, too."""

from datetime import timedelta
from functools import partial

from gateway.domain.breaker import Breaker
from gateway.domain.delivery import DeliveryState
from gateway.domain.work import GATEWAY, RECURRING, JobKind
from gateway.services import egress, overdue
from gateway.services.recurring import begin_recurring
from gateway.services.work import run_job
from gateway.store import audit, breakers, outbox
from tests.unit.gateway.services.scenery import DISCLOSE, RETURN, Scenery

NODE = "board-node"


def _silent(scenery: Scenery, endpoint_id: str) -> None:
    now = scenery.clock()
    with scenery.core.database.write("test") as connection:
        breakers.keep(connection, endpoint_id, Breaker(9, now, now + timedelta(days=9)))


def _enqueued(scenery: Scenery, *sent: str) -> None:
    with scenery.core.database.write("test") as connection:
        for delivery_id in sent:
            egress.enqueue_next(connection, scenery.delivery(delivery_id), now=scenery.clock())


def _look(scenery: Scenery) -> None:
    begin_recurring(scenery.core)
    with scenery.core.database.read() as connection:
        row = outbox.unsettled(connection, JobKind.DELIVERY_OVERDUE, GATEWAY)
    assert row is not None
    handlers = {JobKind.DELIVERY_OVERDUE: partial(overdue.ask_about_overdue, scenery.core)}
    assert run_job(scenery.core, row.id, handlers)


def test_whatever_waits_too_long_for_a_silent_destination_is_for_a_person(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    scenery.consent(RETURN)
    images, report = scenery.images("1.1"), scenery.report()
    late = scenery.report_to_pacs(2)
    _enqueued(scenery, images.id, report.id)
    _silent(scenery, NODE)
    scenery.clock.forward(hours=1)
    _enqueued(scenery, late.id)
    _silent(scenery, "ankara-pacs")
    scenery.clock.forward(hours=71, minutes=30)
    _look(scenery)
    given_up = scenery.delivery(images.id)
    assert given_up.state is DeliveryState.FAILED
    assert given_up.waits_for == ("an administrator: Unreachable: the destination has not answered before the deadline")
    assert scenery.delivery(report.id).state is DeliveryState.PENDING  # its destination may be asked, so it is
    assert scenery.delivery(late.id).state is DeliveryState.PENDING
    with scenery.core.database.read() as connection:
        assert len(audit.of_case(connection, scenery.case.id, actions=["job.dead"])) == 1
        assert breakers.by_endpoint(connection, NODE).failures == 9


def test_what_may_have_left_before_the_silence_is_in_doubt(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    images = scenery.images("1.1")
    _enqueued(scenery, images.id)
    assert egress.grant(scenery.core, images.id) is not None
    scenery.claimed(JobKind.DELIVERY_SEND, images.id)  # its worker is killed
    _silent(scenery, NODE)
    scenery.clock.forward(hours=73)
    _look(scenery)
    assert scenery.delivery(images.id).state is DeliveryState.AMBIGUOUS


def test_it_comes_again(scenery: Scenery) -> None:
    _look(scenery)
    with scenery.core.database.read() as connection:
        row = outbox.unsettled(connection, JobKind.DELIVERY_OVERDUE, GATEWAY)
    assert row is not None
    assert row.next_try_at == scenery.clock() + RECURRING[JobKind.DELIVERY_OVERDUE]
