"""The circuit breaker of a destination: when it is left alone, and when one job may look whether it is back.

Closed: jobs go, a bounded number at once. After some failures in a row it opens: none goes until `probe_at`. From then
on one goes; it closes the breaker or opens it again, for longer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class BreakerState(IntEnum):
    """The number is the one that the metrics show."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True)
class DestinationPolicy:
    """How many jobs one destination gets at once, after how many failures it is left alone, and for how long.

    The cool-down doubles with each failure after the first opening, up to `cap_s`.
    """

    in_flight: int = 4
    threshold: int = 3
    cool_down_s: float = 30.0
    cap_s: float = 600.0


@dataclass(frozen=True)
class Breaker:
    """Failures in a row, since when, and from when one job may look; closed while `probe_at` is None."""

    failures: int = 0
    failing_since: datetime | None = None
    probe_at: datetime | None = None

    def state(self, now: datetime) -> BreakerState:
        """Half-open from the moment at which one job may look."""
        if self.probe_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.probe_at else BreakerState.HALF_OPEN

    def room(self, now: datetime, policy: DestinationPolicy) -> int:
        """How many jobs may be on their way there at once."""
        if self.probe_at is None:
            return policy.in_flight
        return 0 if now < self.probe_at else 1

    def after_failure(self, now: datetime, policy: DestinationPolicy, retry_after_s: float | None = None) -> "Breaker":
        """The destination was not reached, or said it cannot now; its Retry-After is a minimum."""
        failures = self.failures + 1
        since = self.failing_since or now
        if failures < policy.threshold and self.probe_at is None:
            return Breaker(failures, since)
        doublings = min(max(failures - policy.threshold, 0), 30)
        wait_s = max(min(policy.cap_s, policy.cool_down_s * 2**doublings), retry_after_s or 0.0)
        return Breaker(failures, since, now + timedelta(seconds=wait_s))

    def probing(self, now: datetime, policy: DestinationPolicy) -> "Breaker":
        """One job looks now; the next may when this one has said nothing for a cool-down."""
        return Breaker(self.failures, self.failing_since, now + timedelta(seconds=policy.cool_down_s))


CLOSED = Breaker()
"""As after every success."""
