"""A TCP connection between two programs that can be cut, stalled and slowed down while it is in use."""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from tests.peers.processes import LOOPBACK, free_port

_PIECE_BYTES = 65_536
_SLOW_PIECE_BYTES = 256
_SLOW_PAUSE_S = 0.01
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER without a time: RST instead of FIN (socket(7))


class Wire:
    """Listens on a port of its own and passes on to `target`, until it is told to do otherwise.

    `cut` resets what is open and refuses what comes; `stall` passes nothing on and keeps it; `slow` passes a few bytes
    at a time; `mend` makes it whole, and what was stalled goes on.
    """

    def __init__(self, target: int = 0) -> None:
        self.port = free_port()
        self.target = target
        self._flowing = threading.Event()
        self._is_slow = False
        self._is_cut = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = socket.create_server((LOOPBACK, self.port), backlog=128)
        self._thread = threading.Thread(target=self._accept, name=f"wire-{self.port}", daemon=True)

    def cut(self) -> None:
        self._is_cut = True
        self._reset_all()

    def stall(self) -> None:
        self._flowing.clear()

    def slow(self) -> None:
        self._is_slow = True

    def mend(self) -> None:
        self._is_cut = self._is_slow = False
        self._flowing.set()

    def __enter__(self) -> Self:
        self._flowing.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes up `accept`
        self._server.close()
        self.mend()
        self._reset_all()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=[near], daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        if self._is_cut:
            _reset(near)
            return
        far = self._reached()
        if far is None:
            _reset(near)
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._is_joined(near, far):
            return
        back = threading.Thread(target=self._pass, args=[far, near], daemon=True)
        back.start()
        self._pass(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    def _is_joined(self, near: socket.socket, far: socket.socket) -> bool:
        """False where the wire was cut while the target was being reached: both ends are reset then."""
        with self._lock:
            if not self._is_cut:
                self._open |= {near, far}
                return True
        _reset(near)
        _reset(far)
        return False

    def _reached(self) -> socket.socket | None:
        """A connection to the target; None while it takes none."""
        with contextlib.suppress(OSError):
            return socket.create_connection((LOOPBACK, self.target), timeout=10)
        return None

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        """Until one end closes; a half-closed connection stays half open."""
        try:
            while piece := source.recv(_SLOW_PIECE_BYTES if self._is_slow else _PIECE_BYTES):
                if self._is_slow:
                    threading.Event().wait(_SLOW_PAUSE_S)
                self._flowing.wait()
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _reset_all(self) -> None:
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    end.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    end.close()
