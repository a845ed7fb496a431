"""What is kept of each object on its way to the reviewer's node."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest

from gateway.domain import hooks
from gateway.domain.errors import Ambiguous, GatewayError, Permanent, Transient, Unreachable
from gateway.domain.party import DicomAddress
from gateway.domain.record import Delivery, DeliveryItem
from gateway.domain.work import JobKind
from gateway.services import egress
from gateway.services.outside import ObjectSender, Outside
from gateway.services.sending import Permission, Sending
from gateway.services.to_reviewer import send_to_reviewer
from gateway.store import deliveries, outbox
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


class _Node:
    """Answers with each of these in turn."""

    def __init__(self, *answers: int | GatewayError) -> None:
        self.answers = list(answers)

    def send(self, _content: bytes) -> int:
        answer = self.answers.pop(0)
        if isinstance(answer, GatewayError):
            raise answer
        return answer

    @contextmanager
    def open(self, _address: DicomAddress, _contexts: frozenset[tuple[str, str]]) -> Iterator[ObjectSender]:
        yield self


@pytest.fixture
def images(scenery: Scenery) -> Delivery:
    scenery.consent(DISCLOSE)
    return scenery.images("1.1", "1.2")


def _send(scenery: Scenery, delivery: Delivery, *answers: int | GatewayError) -> None:
    """To a node that answers so."""
    granted = egress.grant(scenery.core, delivery.id)
    assert granted is not None
    job = scenery.claimed(JobKind.DELIVERY_SEND, delivery.id)
    never = cast(Outside, None)
    outside = Outside(_Node(*answers).open, *[never] * 4)  # type: ignore[arg-type]  # nothing else is asked
    attempt = Sending(delivery, Permission(scenery.core, job, granted), may_have_left=False)
    try:
        send_to_reviewer(scenery.core, attempt, outside)
    finally:
        with scenery.core.database.write("test") as connection:
            outbox.settle(connection, job, now=scenery.clock())


def _attempt(scenery: Scenery, delivery: Delivery, *answers: int | GatewayError) -> list[DeliveryItem]:
    """The objects after one attempt."""
    with suppress(GatewayError):
        _send(scenery, delivery, *answers)
    with scenery.core.database.write("test") as connection:
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


def test_an_object_whose_answer_could_not_be_noted_may_be_there(scenery: Scenery, images: Delivery) -> None:
    with _nothing_can_be_noted(), pytest.raises(Ambiguous, match="could not be noted"):
        _send(scenery, images, 0x0000)


@pytest.mark.parametrize(("answer", "error"), [(Unreachable("the node hung up"), Unreachable), (0x0122, Permanent)])
def test_an_error_that_could_not_be_noted_is_raised_as_what_it_is(
    scenery: Scenery, images: Delivery, answer: int | GatewayError, error: type[GatewayError]
) -> None:
    with _nothing_can_be_noted(), pytest.raises(error):
        _send(scenery, images, answer)
