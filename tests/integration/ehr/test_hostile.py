"""An EHR's answers are hostile input: silence, dripping, floods and nonsense end in time and by our own rules."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway.domain.errors import Ambiguous, GatewayError, Permanent, Transient
from gateway.domain.party import FhirAddress
from tests.integration.ehr.scenery import wired
from workers.ehr.client import Call, Session
from workers.ehr.exchange import Limits

LIMITS = Limits(connect_timeout_s=1.0, read_timeout_s=0.5, total_timeout_s=1.0, max_answer_bytes=100_000)
GOOD_START = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[FhirAddress]:
    """Answers every connection with `behave`, after the request's first bytes have come."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    behave(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield FhirAddress(f"http://127.0.0.1:{listener.getsockname()[1]}/fhir")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def drip(prefix: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.sendall(prefix)
        for _ in range(50):
            connection.sendall(piece)
            time.sleep(0.1)

    return behave


def say(content: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(content)


def flood(connection: socket.socket) -> None:
    connection.sendall(GOOD_START + b"Content-Length: 100000000000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" " * 100_000)


def ask(address: FhirAddress, *, is_write: bool) -> None:
    with Session(address, before_send=lambda: None, wiring=wired(LIMITS)) as session:
        call = Call("POST" if is_write else "GET", "DiagnosticReport", is_write=is_write)
        session.send(call).expect("Bundle")


BEHAVIOURS: dict[str, tuple[Callable[[socket.socket], None], type[GatewayError], type[GatewayError]]] = {
    "drips its headers": (drip(GOOD_START, b"X-A: 1\r\n"), Transient, Ambiguous),
    "drips its body": (drip(GOOD_START + b"Content-Length: 1000\r\n\r\n", b" "), Transient, Permanent),
    "is silent": (lambda connection: time.sleep(1.5), Transient, Ambiguous),
    "hangs up": (say(b""), Transient, Ambiguous),
    "speaks another protocol": (say(b"220 mail ready\r\n"), Transient, Ambiguous),
    "breaks off": (say(GOOD_START + b"Content-Length: 50\r\n\r\n{"), Transient, Permanent),
    "floods": (flood, Permanent, Permanent),
    "sends endless headers": (drip(GOOD_START, b"X: " + b"y" * 60_000 + b"\r\n"), Transient, Ambiguous),
    "sends a web page": (say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), Permanent, Permanent),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.parametrize("is_write", [False, True], ids=["read", "write"])
def test_every_misbehaviour_ends_in_time_and_by_our_rules(name: str, is_write: bool) -> None:
    behave, for_a_read, for_a_write = BEHAVIOURS[name]
    started = time.monotonic()

    with server(behave) as address, pytest.raises(for_a_write if is_write else for_a_read):
        ask(address, is_write=is_write)

    assert time.monotonic() - started < 8
