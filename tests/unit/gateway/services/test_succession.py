"""What leaves reaches its destination in its order: versions of a report, additions to a study, documents beside it."""

from collections.abc import Iterator
from typing import cast

import pytest

from gateway.domain.case import DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState, Receipt
from gateway.domain.errors import Conflict, NotYet
from gateway.domain.ids import new_id
from gateway.domain.record import CaseDocument, Delivery
from gateway.domain.work import JobKind
from gateway.services import delivery_control, egress
from gateway.services.delivery import EXITS, send
from gateway.services.outside import Outside
from gateway.store import audit, cases, deliveries, outbox
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
    settled = send(scenery.core, scenery.claimed(JobKind.DELIVERY_SEND, delivery.id), outside=cast(Outside, None))
    assert settled is not None
    assert not settled.is_true_anyway  # as an arrival would be


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


def _opened(scenery: Scenery, kind: DeliveryKind, subject_id: str, business_key: str) -> Delivery:
    with scenery.core.database.write("test") as connection:
        return egress.open_delivery(
            connection,
            scenery.case,
            kind=kind,
            endpoint_id="board-node",
            subject_id=subject_id,
            business_key=business_key,
            payload_sha256="0" * 64,
            now=scenery.clock(),
        )


def _addition(scenery: Scenery, first: Delivery) -> Delivery:
    key = first.business_key.rpartition(":")[0]
    return _opened(scenery, DeliveryKind.STUDY_TO_REVIEWER, first.subject_id, f"{key}:1")


def _document(scenery: Scenery) -> Delivery:
    """A delivery of a cleared document, ready to be sent."""
    blob, now = scenery.core.blobs.put(b"%PDF-1.7"), scenery.clock()
    state, day = DocumentState.CLEARED, now.date()
    cleared = CaseDocument(new_id(), scenery.case.id, state, "Biopsy", "11526-1", day, blob, blob, "nurse", now, now)
    with scenery.core.database.write("test") as connection:
        cases.add_document(connection, cleared)
    return _opened(scenery, DeliveryKind.DOCUMENT_TO_REVIEWER, cleared.id, f"document:{cleared.id}:board-node:0")


def _is_going(scenery: Scenery, delivery: Delivery) -> bool:
    with scenery.core.database.read() as connection:
        return outbox.unsettled(connection, JobKind.DELIVERY_SEND, delivery.id) is not None


def test_an_addition_to_a_study_replaces_nothing(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    first = scenery.images("1.1")
    _arrive(scenery, _addition(scenery, first))
    assert egress.grant(scenery.core, first.id) is not None


def _sent(scenery: Scenery, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The destination takes it, and the sending is settled."""
    receipt = Receipt(scenery.clock(), "0x0000", "1.2", "0" * 64)
    monkeypatch.setitem(EXITS, delivery.kind, lambda _core, _sending, _outside: receipt)
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    settlement = send(scenery.core, job, outside=cast(Outside, None))
    assert settlement is not None
    with scenery.core.database.write("test") as connection:
        settlement.write(connection)


def test_a_version_that_failed_ends_when_a_later_one_arrives(
    scenery: Scenery, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, third = versions
    _sent(scenery, third, monkeypatch)
    assert scenery.delivery(third.id).state is DeliveryState.DELIVERED
    assert _is_ended(scenery, second, third)


def test_nor_need_anybody_look_after_it_where_a_person_has_seen_the_later_one(
    scenery: Scenery, versions: Versions
) -> None:
    second, third = versions
    _change(scenery, third, state=DeliveryState.AMBIGUOUS, is_ambiguous=True)
    delivery_control.confirm(scenery.core, third.id, actor=ACTOR)
    assert _is_ended(scenery, second, third)


def test_images_that_failed_are_not_replaced_by_an_addition(scenery: Scenery) -> None:
    first = scenery.images("1.1")
    addition = _addition(scenery, first)
    _change(scenery, first, state=FAILED)
    _change(scenery, addition, state=DeliveryState.AMBIGUOUS, is_ambiguous=True)
    delivery_control.confirm(scenery.core, addition.id, actor=ACTOR)
    assert scenery.delivery(first.id).state is FAILED


@pytest.mark.parametrize("state", [PENDING, DeliveryState.HELD, DeliveryState.AMBIGUOUS, FAILED])
def test_an_addition_waits_until_what_came_before_has_arrived_or_is_given_up(
    scenery: Scenery, state: DeliveryState
) -> None:
    scenery.consent(DISCLOSE)
    first = scenery.images("1.1")
    addition = _addition(scenery, first)
    _change(scenery, first, state=state)
    with pytest.raises(NotYet, match="earlier objects of the same study have neither arrived nor been cancelled"):
        egress.grant(scenery.core, addition.id)
    delivery_control.cancel(scenery.core, first.id, actor=ACTOR)
    assert _is_going(scenery, addition)
    assert egress.grant(scenery.core, addition.id) is not None


def test_an_amendment_goes_although_the_version_before_it_failed(scenery: Scenery, versions: Versions) -> None:
    assert egress.grant(scenery.core, versions[1].id) is not None


def test_a_document_waits_for_the_images_beside_which_it_travels(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    document, told = _document(scenery), "the images beside which it travels have neither arrived nor been cancelled"
    with pytest.raises(NotYet, match=told):
        egress.grant(scenery.core, document.id)
    images = scenery.images("1.1")
    for state in (PENDING, DeliveryState.HELD, DeliveryState.AMBIGUOUS, FAILED):
        _change(scenery, images, state=state)
        with pytest.raises(NotYet, match=told):
            egress.grant(scenery.core, document.id)


def test_a_document_goes_once_images_have_arrived(scenery: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    scenery.consent(DISCLOSE)
    document, images = _document(scenery), scenery.images("1.1")
    _addition(scenery, images)
    assert not _is_going(scenery, document)
    _sent(scenery, images, monkeypatch)
    assert _is_going(scenery, document)
    assert egress.grant(scenery.core, document.id) is not None


def test_a_document_goes_alone_only_where_a_person_wants_no_images_to_leave(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    document, images = _document(scenery), scenery.images("1.1")
    again = _addition(scenery, images)
    delivery_control.cancel(scenery.core, images.id, actor=ACTOR)
    with pytest.raises(NotYet, match="the images beside which it travels"):
        egress.grant(scenery.core, document.id)
    delivery_control.cancel(scenery.core, again.id, actor=ACTOR)
    assert _is_going(scenery, document)
    assert egress.grant(scenery.core, document.id) is not None


def test_what_no_consent_permits_is_held_before_its_turn_too(scenery: Scenery) -> None:
    """Else it would ask for its turn again and again, as long as what goes before it is held."""
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id) is None
    document = _document(scenery)
    assert egress.grant(scenery.core, document.id) is None
    assert scenery.delivery(document.id).state is DeliveryState.HELD
