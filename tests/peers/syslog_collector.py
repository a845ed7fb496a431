"""A syslog collector over TLS (RFC 5425), as strict about frames as the RFC; it can be away, or break off."""

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Self

_PATIENCE_S = 10


class SyslogCollector:
    """Listens on 127.0.0.1; `messages` are those of connections that were ended in order."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.messages: list[bytes] = []
        self.read_before_breaking_off: int | None = None
        """After so many bytes the next connections are reset."""
        self.owes_its_end = False
        """While it is true it ends connections without close_notify, as a balancer does that dies."""
        self.closes_after: int | None = None
        """After so many bytes it closes connections in order, and decrypts nothing more of what it is sent."""
        self.never_closes = False
        """While it is true it reads everything, answers no close_notify and keeps the connection."""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE_S)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(_PATIENCE_S)
            try:
                with self._context.wrap_socket(connection, server_side=True) as stream:
                    self._take(stream)
            except OSError:
                continue

    def _take(self, stream: ssl.SSLSocket) -> None:
        received = b""
        if self.closes_after == 0:
            return _close_early(stream)
        while piece := stream.recv(65536):
            received += piece
            if self.closes_after is not None and len(received) >= self.closes_after:
                return _close_early(stream)
            if self.read_before_breaking_off is not None and len(received) >= self.read_before_breaking_off:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                return None
        if self.owes_its_end:
            return None
        if self.never_closes:
            return _drain(stream)
        self.messages += frames(received)
        stream.unwrap()
        return None


def _close_early(stream: ssl.SSLSocket) -> None:
    """Send close_notify, then take what comes without decrypting it: a close that would leave it unread resets."""
    stream.settimeout(0)
    with contextlib.suppress(ssl.SSLError):  # there is no answer yet, or there are rows instead of one
        stream.unwrap()
    stream.settimeout(_PATIENCE_S)
    _drain(stream)


def _drain(stream: ssl.SSLSocket) -> None:
    """Wait for the end of TCP, beneath TLS."""
    while socket.socket.recv(stream, 65536):
        pass


def frames(received: bytes) -> list[bytes]:
    """The messages in octet-counted frames (RFC 5425 4.3). Raises ValueError for what is none."""
    found = []
    while received:
        length, separator, rest = received.partition(b" ")
        if not separator or not length.isdigit() or length.startswith(b"0") or len(rest) < int(length):
            raise ValueError("not a frame")
        found.append(rest[: int(length)])
        received = rest[int(length) :]
    return found
