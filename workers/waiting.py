"""What a program waits for: said when it begins or changes, not at every try."""

import math
import time
from collections.abc import Callable

import structlog
from kombu.transport.pyamqp import Transport

from gateway.domain.errors import GatewayError

_log = structlog.get_logger()
BROKER_ERRORS: tuple[type[Exception], ...] = (
    *Transport.connection_errors,
    *Transport.channel_errors,
    *Transport.recoverable_connection_errors,
)
"""Whatever a broker, or the way to it, can fail with, when it is asked by AMQP."""

SAID_AGAIN_AFTER_S = 60.0
"""Where somebody who reads the end of a log should find it."""


class Waiting:
    """Logs `event` with the reason when that changes, and again `again_after_s` later if it still stands."""

    def __init__(
        self, event: str, *, again_after_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.reason = ""
        """What is waited for now; empty while nothing is."""
        self._event = event
        self._again_after_s = again_after_s
        self._clock = clock
        self._say_again_at = 0.0

    def because(self, reason: str) -> None:
        """It has to wait, or still has to."""
        now = self._clock()
        if reason != self.reason or now >= self._say_again_at:
            _log.warning(self._event, reason=reason)
            self._say_again_at = now + self._again_after_s
        self.reason = reason

    def over(self) -> None:
        """It waits no longer."""
        if self.reason:
            _log.info(f"{self._event}.over")
        self.reason = ""


class Pause:
    """After a failure nothing is tried for `first_s`, after each further one for twice as long, at most `longest_s`."""

    def __init__(self, first_s: float, longest_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._clock = clock
        self._next_s = first_s
        self._until = -math.inf

    @property
    def is_on(self) -> bool:
        """Nothing is to be tried now."""
        return self._clock() < self._until

    def take(self) -> None:
        """It failed, once more."""
        self._until = self._clock() + self._next_s
        self._next_s = min(2 * self._next_s, self._longest_s)

    def over(self) -> None:
        """It may be tried at once, and the next pause is short again."""
        self._until, self._next_s = -math.inf, self._first_s


def reason_of(exc: BaseException) -> str:
    """Why it failed, in words that hold no patient data: a broker, a socket and our own errors know none."""
    if isinstance(exc, GatewayError):
        return str(exc)
    if isinstance(exc.__cause__, BROKER_ERRORS):
        return reason_of(exc.__cause__)
    if isinstance(exc, OSError):
        return exc.strerror or str(exc) or type(exc).__name__
    if isinstance(exc, BROKER_ERRORS):
        # https://www.rabbitmq.com/amqp-0-9-1-reference#constants
        told = (getattr(exc, "reply_code", None), getattr(exc, "reply_text", None))
        return " ".join(str(each) for each in told if each) or type(exc).__name__
    return type(exc).__name__
