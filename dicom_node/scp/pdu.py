"""Protocol data units from a socket: whole ones, of a bounded length, within a deadline (PS3.8 9.3)."""

import socket
import time
from collections.abc import Iterator
from struct import pack, unpack_from

ASSOCIATE_RQ, P_DATA, RELEASE_RQ, ABORT = 0x01, 0x04, 0x05, 0x07  # PS3.8 Table 9-1 and following: PDU types
RELEASE_RP = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"  # PS3.8 9.3.7

NO_REASON, UNRECOGNIZED_PDU, UNEXPECTED_PDU, INVALID_PARAMETER = 0, 1, 2, 6  # PS3.8 Table 9-26: reasons of the provider
_CAPACITY = 1 << 20  # the most a peer can make us hold, and the largest PDU we take
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)  # Linux; a sender with Nagle waits for it before its next segment


class ProtocolViolation(Exception):
    """The peer breaks PS3.8; the association ends with an A-ABORT of this reason."""

    def __init__(self, message: str, reason: int = INVALID_PARAMETER) -> None:
        super().__init__(message)
        self.reason = reason


class ConnectionEnded(Exception):
    """The peer is gone, or too slow; there is nobody left to answer."""


def abort_pdu(reason: int) -> bytes:
    """A-ABORT by the service provider (PS3.8 9.3.8)."""
    return pack(">BxLxxBB", ABORT, 4, 2, reason)


class PduStream:
    """Reads into one buffer of fixed size; what it hands out is valid until the next call."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = memoryview(bytearray(_CAPACITY))
        self._start = 0
        self._stop = 0

    def read(self, *, idle_timeout_s: float, pdu_timeout_s: float) -> tuple[int, memoryview]:
        """Type and body of the next PDU. Raises ConnectionEnded (closed, silent, slow) or ProtocolViolation."""
        if self._stop == self._start:
            self._receive(idle_timeout_s)
        deadline = time.monotonic() + pdu_timeout_s
        self._fill(6, deadline)
        kind, length = unpack_from(">BxL", self._buffer, self._start)
        if not 1 <= kind <= 7:
            raise ProtocolViolation("unknown PDU type", UNRECOGNIZED_PDU)
        if length > _CAPACITY - 6:
            raise ProtocolViolation("PDU longer than any we negotiate")
        self._fill(6 + length, deadline)
        body = self._buffer[self._start + 6 : self._start + 6 + length]
        self._start += 6 + length
        return kind, body

    def send(self, data: bytes, timeout_s: float) -> None:
        """Send all of it. Raises ConnectionEnded."""
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(data)
        except OSError as exc:
            raise ConnectionEnded("the connection broke while answering") from exc

    def _fill(self, size_bytes: int, deadline: float) -> None:
        while self._stop - self._start < size_bytes:
            if self._start + size_bytes > _CAPACITY:
                self._compact()
            self._receive(deadline - time.monotonic())

    def _receive(self, timeout_s: float) -> None:
        if self._start == self._stop:
            self._start = self._stop = 0
        elif self._stop == _CAPACITY:
            self._compact()
        if timeout_s <= 0:
            raise ConnectionEnded("the peer is too slow")
        try:
            self._socket.settimeout(timeout_s)
            received = self._socket.recv_into(self._buffer[self._stop :])
            if _QUICK_ACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        except TimeoutError as exc:
            raise ConnectionEnded("the peer is silent") from exc
        except OSError as exc:
            raise ConnectionEnded("the connection broke") from exc
        if not received:
            raise ConnectionEnded("the peer closed the connection")
        self._stop += received

    def _compact(self) -> None:
        held = self._stop - self._start
        self._buffer[:held] = self._buffer[self._start : self._stop]
        self._start, self._stop = 0, held


def data_values(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Context ID, message control header and fragment of each PDV (PS3.8 9.3.5.1, E.2). Raises ProtocolViolation."""
    at = 0
    while at < len(body):
        if len(body) - at < 6:
            raise ProtocolViolation("PDV header cut off")
        length, context_id, control = unpack_from(">LBB", body, at)
        end = at + 4 + length
        if length < 2 or end > len(body):
            raise ProtocolViolation("PDV length does not fit its PDU")
        yield context_id, control, body[at + 6 : end]
        at = end


def data_pdus(context_id: int, command_set: bytes, max_pdu_bytes: int) -> bytes:
    """A command set as P-DATA-TF PDUs, none longer than the peer accepts (0 means any length; PS3.8 D.1)."""
    step = max(max_pdu_bytes - 6, 1) if max_pdu_bytes else len(command_set)
    pieces = [command_set[at : at + step] for at in range(0, len(command_set), step)]
    return b"".join(
        pack(">BxLLBB", P_DATA, len(piece) + 6, len(piece) + 2, context_id, 3 if number == len(pieces) else 1) + piece
        for number, piece in enumerate(pieces, 1)
    )
