"""A gateway's clock that a test can move on."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


class Clock:
    """By how much the gateway's clock is ahead, in a file that its programs read; it never goes back."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._set: list[tuple[float, float]] = []
        self.advance(timedelta())

    @property
    def settings(self) -> dict[str, str]:
        """What tells a gateway to go by it."""
        return {"CONSILIUM_CLOCK_AHEAD_FILE": str(self.file)}

    def advance(self, by: timedelta) -> None:
        """From now on the clock is ahead by so much more."""
        with self._lock:
            ahead_s = (self._set[-1][1] if self._set else 0.0) + by.total_seconds()
            self._set.append((time.time(), ahead_s))
            partial = self.file.with_suffix(".new")
            partial.write_text(str(ahead_s), encoding="ascii")
            partial.replace(self.file)

    def at(self, machine_time: float) -> datetime:
        """What it showed at that moment of the machine's clock (seconds since the epoch)."""
        ahead_s = max((one for one in self._set if one[0] <= machine_time), default=self._set[0])[1]
        return datetime.fromtimestamp(machine_time, UTC) + timedelta(seconds=ahead_s)

    def now(self) -> datetime:
        return self.at(time.time())
