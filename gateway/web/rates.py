"""How often a client may come, and how often somebody may fail to say who it is.

Each web process counts for itself, in memory: over all of them a client gets up to so many times more as there are
processes, and a restart begins anew. What a limit keeps off is a client that runs wild and somebody who tries ids or
secrets; neither needs an exact number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from gateway.domain.errors import Throttled

_WINDOW_S = 60.0
_RECORDED_PER_MINUTE = 30
"""Denials of one client or address that leave an audit row; the web's log has all of them."""
_RECORDED_IN_ALL = 120


@dataclass(frozen=True)
class Limits:
    """Per minute and process: tokens and FHIR requests of a client, refused token requests from an address."""

    tokens: int
    requests: int
    failures: int


class Rates:
    """Counts within the last minute; `clock_s` is the time since the epoch, as the storage tells it."""

    def __init__(self, limits: Limits, clock_s: Callable[[], float] = time.time) -> None:
        self._clock_s = clock_s
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._tokens = RateLimitItemPerMinute(limits.tokens)
        self._requests = RateLimitItemPerMinute(limits.requests)
        self._failures = RateLimitItemPerMinute(limits.failures)
        self._recorded = RateLimitItemPerMinute(_RECORDED_PER_MINUTE)
        self._recorded_in_all = RateLimitItemPerMinute(_RECORDED_IN_ALL)

    def count_token(self, client_id: str) -> None:
        """A token for a client that has proven who it is. Raises Throttled."""
        self._count(self._tokens, "token", client_id)

    def count_request(self, client_id: str) -> None:
        """A FHIR request of the client. Raises Throttled."""
        self._count(self._requests, "request", client_id)

    def count_failure(self, address: str) -> None:
        """A refused token request. Raises Throttled, whoever it said it was: nothing is learned from it any more.

        A proof that holds is not counted here, so that nobody keeps others out by failing from the same address.
        """
        self._count(self._failures, "failure", address)

    def is_recorded(self, who: str, *, is_known: bool) -> bool:
        """Whether a denial of this client, person or address is to leave an audit row: a flood must not fill the trail.

        What strangers do uses up nothing of what is kept for those who are known.
        """
        kind = "known" if is_known else "stranger"
        return self._hit(self._recorded, kind, who) and self._hit(self._recorded_in_all, kind)

    def _count(self, limit: RateLimitItem, what: str, who: str) -> None:
        if not self._hit(limit, what, who):
            reset_at_s = self._limiter.get_window_stats(limit, what, who).reset_time
            wait_s = min(max(reset_at_s - self._clock_s(), 1.0), _WINDOW_S)
            raise Throttled("too many requests; come back when Retry-After says", retry_after_s=wait_s)

    def _hit(self, limit: RateLimitItem, *what: str) -> bool:
        """Whether it is within the limit. The storage sweeps in a thread: where none is to be had nobody is refused."""
        try:
            return self._limiter.hit(limit, *what)
        except RuntimeError:
            return True
