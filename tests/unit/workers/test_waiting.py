"""What is waited for is said when it changes, and again after a while, not at every try."""

import structlog
from kombu.exceptions import OperationalError
from kombu.transport.pyamqp import amqp

from gateway.domain.errors import Transient
from workers.waiting import Pause, Waiting, reason_of


def test_a_reason_is_said_once_until_it_changes_or_is_over() -> None:
    waiting = Waiting("broker.waiting")
    with structlog.testing.capture_logs() as lines:
        for reason in ("refused", "refused", "away", "away"):
            waiting.because(reason)
        assert waiting.reason == "away"
        waiting.over()
        waiting.over()
        waiting.because("away")
    said = [(line["event"], line.get("reason", "")) for line in lines]
    again = ("broker.waiting", "away")
    assert said == [("broker.waiting", "refused"), again, ("broker.waiting.over", ""), again]


def test_what_still_stands_is_said_once_a_minute() -> None:
    moments = iter(range(0, 150, 10))
    waiting = Waiting("relay.waiting", again_after_s=60, clock=lambda: next(moments))
    with structlog.testing.capture_logs() as lines:
        for _ in range(15):
            waiting.because("the database does not answer")
    assert len(lines) == 3


def test_the_reason_is_in_the_words_of_whoever_failed() -> None:
    assert reason_of(Transient("the database does not answer")) == "the database does not answer"
    lost = OperationalError("wrapped")
    lost.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert reason_of(lost) == "Connection refused"
    assert reason_of(amqp.exceptions.RecoverableConnectionError("Socket was disconnected")) == "Socket was disconnected"
    assert reason_of(KeyError("a name perhaps")) == "KeyError"


def test_each_failure_makes_the_next_pause_longer_until_it_is_over() -> None:
    now = [0.0]
    pause = Pause(2, 5, clock=lambda: now[0])
    assert not pause.is_on
    for until in (2, 4, 5, 5):
        pause.take()
        begun = now[0]
        now[0] = begun + until - 0.1
        assert pause.is_on
        now[0] = begun + until
        assert not pause.is_on
    pause.take()
    pause.over()
    assert not pause.is_on
    pause.take()
    now[0] += 2
    assert not pause.is_on
