"""A TCP balancer as small as can be: each new connection to the next program that takes it."""

import itertools
import socket
import threading
from collections.abc import Sequence

from tests.acceptance.faults.wire import Wire


class Balancer(Wire):
    """A wire with several targets; one that does not listen is passed over, and nobody is told."""

    def __init__(self, targets: Sequence[int]) -> None:
        super().__init__()
        self._targets = itertools.cycle(targets)
        self._number = len(targets)
        self._turn = threading.Lock()

    def _reached(self) -> socket.socket | None:
        for _ in range(self._number):
            with self._turn:
                self.target = next(self._targets)
                reached = super()._reached()
            if reached is not None:
                return reached
        return None
