"""A bound on one HTTP request as a whole: per-operation time-outs never end a peer that sends a byte now and then."""

import socket
from types import TracebackType
from typing import Any, Self

import httpx

from gateway.alarms import Alarm, alarms


class Deadline:
    """While entered, cuts the request's own connection after `seconds`; httpx then sees a lost connection.

    It learns of the socket through httpcore's trace extension, so the connection has to be a fresh one.
    https://www.encode.io/httpcore/extensions/#trace
    """

    def __init__(self, request: httpx.Request, seconds: float) -> None:
        self.has_passed = False
        self._socket: socket.socket | None = None
        self._seconds = seconds
        self._alarm: Alarm | None = None
        request.extensions = {**request.extensions, "trace": self._note}

    def _note(self, event: str, info: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
        if self.has_passed:
            self._shut()

    def _cut(self) -> None:
        self.has_passed = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is None:
            return
        try:
            # Not SSLSocket.shutdown: it takes the TLS object away from the thread that is reading.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # closed already: the request has ended by itself

    def __enter__(self) -> Self:
        self._alarm = alarms.after(self._seconds, self._cut)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.call_off()
