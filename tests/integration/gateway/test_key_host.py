"""Hosts of keys that take their time, or that nobody should believe."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway import key_host
from gateway.domain.errors import Transient
from tests.integration.certificates import Authority

PATIENCE_S = 20


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"], ids=["head", "body"])
def test_a_host_that_sends_a_byte_now_and_then_is_given_up(
    listening: socket.socket, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_host, "TOTAL_TIMEOUT_S", 0.3)
    is_over = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                connection.sendall(begun)
                while not is_over.wait(0.05):
                    connection.sendall(b"H")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    began_s = time.monotonic()
    with pytest.raises(Transient):
        key_host.fetch_keys(f"http://127.0.0.1:{listening.getsockname()[1]}/keys")
    assert time.monotonic() - began_s < PATIENCE_S
    is_over.set()
    thread.join()


def test_a_certificate_that_nobody_trusts_is_not_believed(listening: socket.socket, tmp_path: Path) -> None:
    context = Authority(tmp_path).server_context()

    def greet() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                return

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(Transient):
        key_host.fetch_keys(f"https://127.0.0.1:{listening.getsockname()[1]}/keys")
    thread.join()
