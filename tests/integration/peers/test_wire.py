"""The wires of the fault suite, and the balancer that is one: what they pass on, and what they do to it."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.balancer import Balancer
from tests.acceptance.faults.wire import Wire
from tests.peers.processes import LOOPBACK, free_port


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while piece := self.request.recv(4096):
            self.request.sendall(piece)


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says what it is told."""
    with socketserver.ThreadingTCPServer((LOOPBACK, 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def _said(connection: socket.socket, word: bytes) -> bytes:
    connection.sendall(word)
    return connection.recv(len(word))


def _open(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=10)


def test_a_wire_passes_on_fast_or_slow(echo: int) -> None:
    with Wire(echo) as wire, closing(_open(wire.port)) as connection:
        assert _said(connection, b"fast") == b"fast"
        wire.slow()
        assert _said(connection, b"slow") == b"slow"


def test_a_cut_wire_resets_what_is_open_and_what_comes(echo: int) -> None:
    with Wire(echo) as wire, closing(_open(wire.port)) as connection:
        assert _said(connection, b"one") == b"one"
        wire.cut()
        assert _ended(connection)
        assert _is_reset(wire.port)


class _CutMeanwhile(Wire):
    """Is cut while it reaches its target."""

    def _reached(self) -> socket.socket | None:
        far = super()._reached()
        self.cut()
        return far


def test_a_connection_that_was_being_made_does_not_live_through_the_cut(echo: int) -> None:
    with _CutMeanwhile(echo) as wire:
        assert _is_reset(wire.port)


def test_what_was_stalled_goes_on(echo: int) -> None:
    with Wire(echo) as wire, closing(_open(wire.port)) as connection:
        wire.stall()
        connection.sendall(b"later")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(5)
        wire.mend()
        connection.settimeout(10)
        assert connection.recv(5) == b"later"


def test_the_balancer_passes_over_who_does_not_listen(echo: int) -> None:
    with Balancer([free_port(), echo]) as balancer:
        for _ in range(3):
            with closing(_open(balancer.port)) as connection:
                assert _said(connection, b"here") == b"here"


def _is_reset(port: int) -> bool:
    try:
        with closing(_open(port)) as connection:
            return _ended(connection)
    except ConnectionError:  # before the connection was ours
        return True


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
