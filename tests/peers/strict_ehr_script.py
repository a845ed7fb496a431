"""Answers that a test lays out in advance, before the strict EHR behaves again."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ScriptedAnswer:
    """One answer to one write (create or update).

    `refuse`: nothing is stored and `status` is answered, with `retry_after` as that header when given (seconds or an
    HTTP date). `store-then-silence`: it is stored and no answer comes for `silence_s`. `lose`: `status` claims
    success and nothing is stored.
    """

    kind: Literal["refuse", "store-then-silence", "lose"]
    status: int
    retry_after: str = ""
    silence_s: float = 0


def refuse(status: int, *, retry_after: str = "") -> ScriptedAnswer:
    """Answer with this status and store nothing."""
    return ScriptedAnswer("refuse", status, retry_after=retry_after)


def store_then_silence(silence_s: float) -> ScriptedAnswer:
    """Store, and let the sender wait into its time-out."""
    return ScriptedAnswer("store-then-silence", 201, silence_s=silence_s)


def lose(status: int = 200) -> ScriptedAnswer:
    """Claim success and keep nothing."""
    return ScriptedAnswer("lose", status)


class Script:
    """The queue of answers still to be given."""

    def __init__(self) -> None:
        self._answers: deque[ScriptedAnswer] = deque()
        self._lock = threading.Lock()

    def add(self, *answers: ScriptedAnswer | int) -> None:
        """Queue answers; a bare number is `refuse(number)`."""
        with self._lock:
            self._answers.extend(refuse(each) if isinstance(each, int) else each for each in answers)

    def next(self) -> ScriptedAnswer | None:
        """The answer to the write that is here now, or None: behave."""
        with self._lock:
            return self._answers.popleft() if self._answers else None

    def __len__(self) -> int:
        return len(self._answers)
