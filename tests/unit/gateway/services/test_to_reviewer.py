"""What is kept of each object on its way to the reviewer's node."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from gateway.domain import hooks
from gateway.domain.delivery import Receipt
from gateway.domain.errors import Ambiguous, Conflict, GatewayError, Permanent, Transient, Unanswered, Unreachable
from gateway.domain.party import DicomAddress
from gateway.domain.record import Delivery, DeliveryItem
from gateway.domain.work import JobKind
from gateway.services import egress
from gateway.services.outside import ObjectSender, Outside
from gateway.services.sending import Permission, Sending
from gateway.services.to_reviewer import send_to_reviewer
from gateway.store import deliveries, outbox
from tests.peers.generated import ct_series, part10
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery

CT = part10(ct_series(slices=1, study_instance_uid="1.2.3.9")[0])
NO_QUERIES = Permanent("NODE at ::1:104 accepted the association and none of what was offered to it")


class _Node:
    """Answers with each of these in turn; asked what it has, with `holds`."""

    def __init__(self, *answers: int | GatewayError, holds: Collection[str] | GatewayError = ()) -> None:
        self.answers, self.holds = list(answers), holds
        self.log: list[str] = []

    def find_instances(
        self, address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> frozenset[str]:
        assert address.ae_title == "NODE"
        before_send()
        self.log.append(f"find {study_instance_uid}")
        if isinstance(self.holds, GatewayError):
            raise self.holds
        return frozenset(self.holds)

    def send(self, _content: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
        before_send()
        self.log.append("store")
        answer = self.answers.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    @contextmanager
    def open(self, address: DicomAddress, contexts: frozenset[tuple[str, str]]) -> Iterator[ObjectSender]:
        assert (address.ae_title, contexts) == ("NODE", frozenset({("1.2", "1.2.1")}))
        yield self


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    scenery.consent(DISCLOSE)
    return scenery.images("1.1", "1.2", content=CT)


def _send(scenery: Scenery, delivery: Delivery, *answers: int | GatewayError) -> Receipt:
    """To a node that answers so."""
    return _send_to(_Node(*answers), scenery, delivery, may_have_left=False)


def _send_to(node: _Node, scenery: Scenery, delivery: Delivery, *, may_have_left: bool) -> Receipt:
    granted = egress.grant(scenery.core, delivery.id)
    assert granted is not None
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    never: Any = None  # nobody else is asked
    outside = Outside(node.open, never, never, node.find_instances, never, never, look_again_after_s=60)
    try:
        with Permission(scenery.core, job, granted) as permission:
            return send_to_reviewer(scenery.core, Sending(delivery, permission, may_have_left), outside)
    finally:
        with scenery.core.database.write("test") as connection:
            outbox.settle(connection, job, now=scenery.clock())


def _attempt(scenery: Scenery, delivery: Delivery, *answers: int | GatewayError) -> list[DeliveryItem]:
    """The objects after one attempt."""
    with suppress(GatewayError):
        _send(scenery, delivery, *answers)
    return _items(scenery, delivery)


def _items(scenery: Scenery, delivery: Delivery) -> list[DeliveryItem]:
    with scenery.core.database.read() as connection:
        return deliveries.items(connection, delivery.id)


@contextmanager
def _nothing_can_be_noted() -> Iterator[None]:
    def refuse(name: str) -> None:
        if name == "delivery.item.before_commit":
            raise Transient("the database is busy")

    hooks.observe(refuse)
    try:
        yield
    finally:
        hooks.forget(refuse)


def test_each_object_has_its_answer_and_its_attempts(scenery: Scenery, images: Delivery) -> None:
    first, second = _attempt(scenery, images, 0x0000, Unreachable("the node hung up"))
    assert (first.status, first.attempts, first.last_error) == ("0x0000", 1, "")
    assert (second.status, second.attempts, second.last_error) == (None, 1, "Unreachable: the node hung up")


def test_the_next_attempt_sends_what_is_left(scenery: Scenery, images: Delivery) -> None:
    _attempt(scenery, images, 0x0000, Unreachable("the node hung up"))
    first, second = _attempt(scenery, images, 0x0000)
    assert (first.attempts, second.attempts) == (1, 2)
    assert (second.status, second.last_error) == ("0x0000", "")


def test_a_refusal_stays_with_its_object(scenery: Scenery, images: Delivery) -> None:
    first, second = _attempt(scenery, images, 0x0122)
    assert first.status is None
    assert first.last_error.startswith("Permanent: ")
    assert (second.attempts, second.last_error) == (0, "")


def test_an_object_that_may_not_leave_counts_no_attempt(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Conflict("the grant was cancelled; nothing more is sent")

    monkeypatch.setattr(egress, "require_open", refuse)
    node = _Node()
    with pytest.raises(Conflict, match="cancelled"):
        _send_to(node, scenery, images, may_have_left=False)
    assert node.log == []
    assert [(item.status, item.attempts, item.last_error) for item in _items(scenery, images)] == [(None, 0, "")] * 2


def test_an_object_whose_answer_could_not_be_noted_may_be_there(scenery: Scenery, images: Delivery) -> None:
    with _nothing_can_be_noted(), pytest.raises(Ambiguous, match="could not be noted"):
        _send(scenery, images, 0x0000)


@pytest.mark.parametrize(("answer", "error"), [(Unreachable("the node hung up"), Unreachable), (0x0122, Permanent)])
def test_an_error_that_could_not_be_noted_is_raised_as_what_it_is(
    scenery: Scenery, images: Delivery, answer: int | GatewayError, error: type[GatewayError]
) -> None:
    with _nothing_can_be_noted(), pytest.raises(error):
        _send(scenery, images, answer)


def test_after_an_answer_that_was_lost_only_what_is_not_there_is_sent(scenery: Scenery, images: Delivery) -> None:
    _attempt(scenery, images, Unanswered("NODE did not answer C-STORE"))
    node = _Node(0x0000, holds={"1.1", "7.7"})
    receipt = _send_to(node, scenery, images, may_have_left=True)
    assert node.log == ["find 1.2.3.9", "store"]
    assert receipt.note == "2 of 2 objects acknowledged, 1 of them found there by C-FIND"
    first, second = _items(scenery, images)
    assert (first.status, first.attempts, first.last_error) == ("C-FIND", 1, "")
    assert (second.status, second.attempts) == ("0x0000", 1)
    assert first.sent_at == scenery.clock()


def test_where_all_is_there_nothing_is_sent_and_no_association_for_it_opened(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = _Node(holds={"1.1", "1.2"})
    monkeypatch.setattr(node, "open", None)
    receipt = _send_to(node, scenery, images, may_have_left=True)
    assert (receipt.status, receipt.sha256) == ("0x0000", images.payload_sha256)
    assert receipt.note == "2 of 2 objects acknowledged, 2 of them found there by C-FIND"


def test_what_was_found_at_an_earlier_attempt_is_told_at_the_last(scenery: Scenery, images: Delivery) -> None:
    with pytest.raises(Unreachable):
        _send_to(_Node(Unreachable("gone"), holds={"1.1"}), scenery, images, may_have_left=True)
    node = _Node(0x0000)
    receipt = _send_to(node, scenery, images, may_have_left=True)
    assert receipt.note == "2 of 2 objects acknowledged, 1 of them found there by C-FIND"


def test_a_node_that_answers_no_queries_is_sent_it_again_and_the_receipt_says_so(
    scenery: Scenery, images: Delivery
) -> None:
    node = _Node(0x0000, 0x0000, holds=NO_QUERIES)
    receipt = _send_to(node, scenery, images, may_have_left=True)
    assert node.log == ["find 1.2.3.9", "store", "store"]
    assert receipt.note == (
        "2 of 2 objects acknowledged; sent again without a look, since the node cannot be asked what it has: "
        f"{NO_QUERIES}"
    )


def test_a_node_that_cannot_be_asked_at_present_is_sent_nothing(scenery: Scenery, images: Delivery) -> None:
    node = _Node(holds=Unreachable("NODE cannot be reached"))
    with pytest.raises(Unreachable):
        _send_to(node, scenery, images, may_have_left=True)
    assert node.log == ["find 1.2.3.9"]


def test_without_a_permission_the_node_is_not_even_asked(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Conflict("the grant was cancelled; nothing more is sent")

    monkeypatch.setattr(Permission, "require", refuse)
    node = _Node()
    with pytest.raises(Conflict):
        _send_to(node, scenery, images, may_have_left=True)
    assert node.log == []


def test_a_first_attempt_asks_nothing(scenery: Scenery, images: Delivery) -> None:
    node = _Node(0x0000, 0x0000)
    receipt = _send_to(node, scenery, images, may_have_left=False)
    assert node.log == ["store", "store"]
    assert receipt.note == "2 of 2 objects acknowledged"
