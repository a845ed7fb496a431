"""PDUs from a socket, with a scripted one in its place."""

import socket
from struct import pack
from typing import cast

import pytest

from dicom_node.scp.pdu import (
    P_DATA,
    UNRECOGNIZED_PDU,
    ConnectionEnded,
    PduStream,
    ProtocolViolation,
    abort_pdu,
    data_pdus,
    data_values,
)


class ScriptedSocket:
    """Gives out pieces one a call; an exception among them is raised, and after the last the peer has closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.timeouts: list[float] = []
        self.sent = b""

    def settimeout(self, timeout_s: float) -> None:
        self.timeouts.append(timeout_s)

    def setsockopt(self, *option: int) -> None:
        pass

    def recv_into(self, buffer: memoryview) -> int:
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        taken = piece[: len(buffer)]
        if piece[len(taken) :]:
            self.pieces.insert(0, piece[len(taken) :])
        buffer[: len(taken)] = taken
        return len(taken)

    def sendall(self, data: bytes) -> None:
        self.sent += data


def stream(*pieces: bytes | Exception) -> PduStream:
    return PduStream(cast(socket.socket, ScriptedSocket(*pieces)))


def read(source: PduStream) -> tuple[int, bytes]:
    kind, body = source.read(idle_timeout_s=5, pdu_timeout_s=5)
    return kind, bytes(body)


def pdu(kind: int, body: bytes) -> bytes:
    return pack(">BxL", kind, len(body)) + body


def test_pdus_come_whole_however_they_are_cut() -> None:
    bodies = [bytes([number]) * size for number, size in enumerate((0, 1, 70_000, 500_000, 900_000, 3))]
    wire = b"".join(pdu(P_DATA, body) for body in bodies)
    for step in (len(wire), 99_991, 1 << 16):
        source = stream(*(wire[at : at + step] for at in range(0, len(wire), step)))
        assert [read(source) for _ in bodies] == [(P_DATA, body) for body in bodies]


def test_a_closed_connection_ends() -> None:
    with pytest.raises(ConnectionEnded):
        read(stream())
    with pytest.raises(ConnectionEnded):
        read(stream(pdu(P_DATA, b"abc")[:-1]))


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError()])
def test_silence_and_resets_end_the_connection(error: Exception) -> None:
    with pytest.raises(ConnectionEnded):
        read(stream(error))


def test_a_claim_of_four_gigabytes_is_refused_at_once() -> None:
    with pytest.raises(ProtocolViolation):
        read(stream(pack(">BxL", P_DATA, 0xFFFFFFFF)))


def test_an_unknown_pdu_type_is_refused() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        read(stream(b"GET / HTTP/1.1\r\n"))
    assert caught.value.reason == UNRECOGNIZED_PDU


def test_a_dripping_peer_meets_its_deadline() -> None:
    source = stream(*(bytes([byte]) for byte in pdu(P_DATA, bytes(1000))))
    with pytest.raises(ConnectionEnded):
        source.read(idle_timeout_s=5, pdu_timeout_s=0)


def test_data_values_are_taken_apart() -> None:
    body = pack(">LBB", 5, 1, 3) + b"abc" + pack(">LBB", 2, 3, 2)
    found = [(context, control, bytes(fragment)) for context, control, fragment in data_values(memoryview(body))]
    assert found == [(1, 3, b"abc"), (3, 2, b"")]


@pytest.mark.parametrize("body", [b"\0", pack(">LBB", 1, 1, 3), pack(">LBB", 6, 1, 3) + b"abc"])
def test_data_values_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        list(data_values(memoryview(body)))


@pytest.mark.parametrize("max_pdu_bytes", [0, 7, 16, 1000])
def test_commands_are_fragmented_to_what_the_peer_takes(max_pdu_bytes: int) -> None:
    command = bytes(range(100))
    source = stream(data_pdus(5, command, max_pdu_bytes))
    fragments, control = [], 0
    while control != 3:
        kind, body = read(source)
        assert kind == P_DATA
        assert not max_pdu_bytes or len(body) <= max_pdu_bytes
        ((context_id, control, fragment),) = data_values(memoryview(body))
        assert context_id == 5
        fragments.append(bytes(fragment))
    assert b"".join(fragments) == command


def test_an_abort_names_its_reason() -> None:
    assert abort_pdu(6) == bytes.fromhex("07000000000400000206")
