"""Versions of one report reach a destination in their order, and an older one never comes after a newer one."""

from collections.abc import Iterator
from typing import cast

import pytest

from gateway.domain.delivery import DeliveryKind, DeliveryState, Receipt
from gateway.domain.errors import Conflict, NotYet
from gateway.domain.record import Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery_control, egress
from gateway.services.delivery import send
from gateway.services.outside import Outside
from gateway.store import audit, deliveries, outbox
from tests.unit.gateway.services.scenery import DISCLOSE, RETURN, Scenery

ACTOR = "cli:test"
SUPERSEDED = "nobody: version 3 is at the destination, or may be; version 2 is not sent after it"
FAILED, PENDING, CANCELLED = DeliveryState.FAILED, DeliveryState.PENDING, DeliveryState.CANCELLED

Versions = tuple[Delivery, Delivery]


@pytest.fixture
def versions(scenery: Scenery) -> Versions:
    """The second version failed, and the third one is next."""
    scenery.consent(RETURN)
    scenery.study("matched")
    second, third = scenery.report_to_pacs(2), scenery.report_to_pacs(3)
    _change(scenery, second, state=FAILED, waits_for="an administrator: HTTP 422")
    return second, third


def _change(scenery: Scenery, delivery: Delivery, **values: object) -> None:
    with scenery.core.database.write("test") as connection:
        deliveries.change(connection, delivery.id, now=scenery.clock(), **values)


def _arrive(scenery: Scenery, delivery: Delivery) -> None:
    with scenery.core.database.write("test") as connection:
        deliveries.set_receipt(connection, delivery.id, Receipt(scenery.clock(), "0x0000", "1.2", "0" * 64))


def _send(scenery: Scenery, delivery: Delivery) -> None:
    """There is nothing outside to be reached: what would leave fails otherwise."""
    assert send(scenery.core, scenery.claimed(JobKind.DELIVERY_SEND, delivery.id), outside=cast(Outside, None)) is None


def _superseded(scenery: Scenery) -> Iterator[tuple[str, str, object]]:
    with scenery.core.database.read() as connection:
        for row in audit.of_case(connection, scenery.case.id, actions=["delivery.superseded"]):
            yield row.actor, row.subject, row.details


def _is_ended(scenery: Scenery, second: Delivery, third: Delivery) -> bool:
    ended = scenery.delivery(second.id)
    assert list(_superseded(scenery)) == [("gateway", f"delivery/{second.id}", {"by": third.id})]
    return (ended.state, ended.waits_for, ended.stopped_by) == (CANCELLED, SUPERSEDED, None)


def test_what_failed_is_not_tried_again_after_a_later_version_arrived(scenery: Scenery, versions: Versions) -> None:
    second, third = versions
    _arrive(scenery, third)
    with pytest.raises(Conflict, match="version 3 is at the destination, or may be"):
        delivery_control.retry(scenery.core, second.id, actor=ACTOR)
    assert _is_ended(scenery, second, third)


def test_neither_is_it_with_all_that_failed(scenery: Scenery, versions: Versions) -> None:
    second, third = versions
    _arrive(scenery, third)
    assert delivery_control.retry_failed(scenery.core, "ankara-pacs", actor=ACTOR) == []
    assert _is_ended(scenery, second, third)


@pytest.mark.parametrize("state", [PENDING, DeliveryState.HELD, CANCELLED])
def test_nor_once_a_later_version_was_allowed_to_leave(
    scenery: Scenery, versions: Versions, state: DeliveryState
) -> None:
    second, third = versions
    assert egress.grant(scenery.core, third.id) is not None
    _change(scenery, third, state=state)
    with pytest.raises(Conflict, match="version 3 is at the destination, or may be"):
        delivery_control.retry(scenery.core, second.id, actor=ACTOR)


@pytest.mark.parametrize("state", [DeliveryState.AMBIGUOUS, FAILED])
def test_nor_while_it_is_in_doubt_whether_that_arrived(
    scenery: Scenery, versions: Versions, state: DeliveryState
) -> None:
    second, third = versions
    _change(scenery, third, state=state, is_ambiguous=True)
    with pytest.raises(Conflict, match="version 3 is at the destination, or may be"):
        delivery_control.retry(scenery.core, second.id, actor=ACTOR)


@pytest.mark.parametrize("state", [PENDING, FAILED])
def test_what_surely_did_not_arrive_stands_in_nobodys_way(
    scenery: Scenery, versions: Versions, state: DeliveryState
) -> None:
    second, third = versions
    if state is FAILED:
        assert egress.grant(scenery.core, third.id) is not None
        _change(scenery, third, state=FAILED)
    delivery_control.retry(scenery.core, second.id, actor=ACTOR)
    assert scenery.delivery(second.id).state is PENDING


@pytest.mark.parametrize("state", [PENDING, DeliveryState.HELD])
def test_what_is_about_to_be_sent_ends_instead(scenery: Scenery, versions: Versions, state: DeliveryState) -> None:
    second, third = versions
    _change(scenery, second, state=state, waits_for="")
    _arrive(scenery, third)
    _send(scenery, second)
    assert _is_ended(scenery, second, third)


def test_whether_it_is_its_turn_is_asked_where_it_is_granted(scenery: Scenery, versions: Versions) -> None:
    """Between looking and granting a person may have had the earlier one tried again."""
    second, third = versions
    delivery_control.retry(scenery.core, second.id, actor=ACTOR)
    with pytest.raises(NotYet, match="an earlier version is still on its way"):
        egress.grant(scenery.core, third.id)


def test_what_ended_lets_the_next_version_go(scenery: Scenery, versions: Versions) -> None:
    second, third = versions
    fourth = scenery.report_to_pacs(4)
    _change(scenery, second, state=PENDING, waits_for="")
    _arrive(scenery, third)
    _send(scenery, second)
    with scenery.core.database.read() as connection:
        assert outbox.unsettled(connection, JobKind.DELIVERY_SEND, fourth.id) is not None


def test_an_addition_to_a_study_replaces_nothing(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    first = scenery.images("1.1")
    with scenery.core.database.write("test") as connection:
        key = first.business_key.rpartition(":")[0]
        addition = egress.open_delivery(
            connection,
            scenery.case,
            kind=DeliveryKind.STUDY_TO_REVIEWER,
            endpoint_id=first.endpoint_id,
            subject_id=first.subject_id,
            business_key=f"{key}:1",
            now=scenery.clock(),
        )
    _arrive(scenery, addition)
    assert egress.grant(scenery.core, first.id) is not None
