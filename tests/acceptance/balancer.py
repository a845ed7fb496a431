"""A TCP balancer as small as can be: each new connection to the next program that takes it."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.peers.processes import LOOPBACK, free_port

_PIECE_BYTES = 65_536


class Balancer:
    """Listens on a port of its own; a target that does not listen is passed over, and nobody is told."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.port = free_port()
        self._targets = itertools.cycle(targets)
        self._number = len(targets)
        self._lock = threading.Lock()
        self._server = socket.create_server((LOOPBACK, self.port), backlog=128)
        self._thread = threading.Thread(target=self._accept, name=f"balancer-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes up `accept`
        self._server.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=[near], daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        far = self._reached()
        if far is None:
            near.close()
            return
        with near, far:
            back = threading.Thread(target=_pass, args=[far, near], daemon=True)
            back.start()
            _pass(near, far)
            back.join()

    def _reached(self) -> socket.socket | None:
        for _ in range(self._number):
            with self._lock:
                target = next(self._targets)
            with contextlib.suppress(OSError):
                return socket.create_connection((LOOPBACK, target), timeout=5)
        return None


def _pass(source: socket.socket, sink: socket.socket) -> None:
    """Until one end closes; a half-closed connection stays half open."""
    source.settimeout(None)
    try:
        while piece := source.recv(_PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
