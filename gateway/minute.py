"""What happened within the last minute, counted in the memory of one process; a restart begins anew."""

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class Minute:
    """Counts by name, each up to its own limit; safe to use from several threads."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, most: int, *what: str) -> bool:
        """Count one more; False, and not counted, where there are `most` already.

        The storage sweeps in a thread: where none is to be had nothing is too many.
        """
        try:
            return self._limiter.hit(_limit(most), *what)
        except RuntimeError:
            return True

    def free_at_s(self, most: int, *what: str) -> float:
        """When one more fits, in seconds since the epoch."""
        return self._limiter.get_window_stats(_limit(most), *what).reset_time


def _limit(most: int) -> RateLimitItem:
    return RateLimitItemPerMinute(most)
