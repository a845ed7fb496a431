"""How often a client may come, and how often somebody may fail to say who it is.

Each web process counts for itself, in memory: over all of them a client gets up to so many times more as there are
processes, and a restart begins anew. What a limit keeps off is a client that runs wild and somebody who tries ids or
secrets; neither needs an exact number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.errors import Throttled
from gateway.minute import Minute

_WINDOW_S = 60.0


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
        self._limits, self._minute = limits, Minute()

    def count_token(self, client_id: str) -> None:
        """A token for a client that has proven who it is. Raises Throttled."""
        self._count(self._limits.tokens, "token", client_id)

    def count_request(self, client_id: str) -> None:
        """A FHIR request of the client. Raises Throttled."""
        self._count(self._limits.requests, "request", client_id)

    def count_failure(self, address: str) -> None:
        """A refused token request. Raises Throttled, whoever it said it was: nothing is learned from it any more.

        A proof that holds is not counted here, so that nobody keeps others out by failing from the same address.
        """
        self._count(self._limits.failures, "failure", address)

    def _count(self, most: int, what: str, who: str) -> None:
        if not self._minute.count(most, what, who):
            wait_s = min(max(self._minute.free_at_s(most, what, who) - self._clock_s(), 1.0), _WINDOW_S)
            raise Throttled("too many requests; come back when Retry-After says", retry_after_s=wait_s)
