"""Waiting for a condition with a deadline, and what a step says when it cannot go on."""

import time
from collections.abc import Callable

_LOOK_EVERY_S = 0.05


class StepFailed(Exception):
    """The demo cannot go on; the message is the reason, in a sentence."""


def wait_until(
    condition: Callable[[], object], *, waiting_for: str, within_s: float, meanwhile: Callable[[], None] | None = None
) -> None:
    """Return as soon as `condition()` is true; `meanwhile` runs between two looks and must not block.

    Raises:
        StepFailed: it was not true `within_s` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise StepFailed(f"waited {within_s:g} s in vain for {waiting_for}")
        if meanwhile is not None:
            meanwhile()
        time.sleep(_LOOK_EVERY_S)
