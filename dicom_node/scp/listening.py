"""A listening port, and the thread that accepts its connections."""

import socket
import ssl
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)
_BACKLOG = 128
_PAUSE_WITHOUT_DESCRIPTORS_S = 0.1


class Listener:
    """Open from the start until `stop`. `begin` is given each connection and the host it comes from.

    With `tls` a connection is wrapped, and its handshake left to whoever serves it. Raises OSError when the port cannot
    be had.
    """

    def __init__(
        self, host: str, port: int, begin: Callable[[socket.socket, str], None], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._begin = begin
        self._tls = tls
        self._is_stopping = threading.Event()
        self._socket = _listen(host, port)
        self._thread = threading.Thread(target=self._accept, name="dicom-listener", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Accept no more; returns when none will be begun any more."""
        self._is_stopping.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        port = self.port
        while not self._is_stopping.is_set():
            try:
                connection, address = self._socket.accept()
            except OSError:
                if not self._is_stopping.is_set():
                    log.error("accept_failed", port=port)
                    self._is_stopping.wait(_PAUSE_WITHOUT_DESCRIPTORS_S)
                continue
            try:
                self._begin(self._prepared(connection), str(address[0]))
            except OSError as exc:
                log.info("connection_ended", host=str(address[0]), reason=exc.strerror)

    def _prepared(self, connection: socket.socket) -> socket.socket:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    is_dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=is_dual)
