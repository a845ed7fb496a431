"""Command sets, held against pynetdicom's own."""

from io import BytesIO
from struct import pack

import pytest
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode, encode

from dicom_node.scp.command import C_ECHO_RQ, C_STORE_RQ, Command, encode_response, parse_command
from dicom_node.scp.pdu import ProtocolViolation

CT, INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
STORE = Command(C_STORE_RQ, 7, CT, INSTANCE, True)


def encoded_request(primitive: C_STORE | C_ECHO, message: str) -> bytes:
    from pynetdicom import dimse_messages

    request = getattr(dimse_messages, message)()
    request.primitive_to_message(primitive)
    return encode(request.command_set, True, True) or b""


def test_a_store_request_is_read() -> None:
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, INSTANCE
    request.DataSet = BytesIO(b"x")
    assert parse_command(encoded_request(request, "C_STORE_RQ")) == STORE


def test_an_echo_request_is_read() -> None:
    request = C_ECHO()
    request.MessageID = 1
    request.AffectedSOPClassUID = "1.2.840.10008.1.1"
    command = parse_command(encoded_request(request, "C_ECHO_RQ"))
    assert command == Command(C_ECHO_RQ, 1, "1.2.840.10008.1.1", "", False)


def test_the_response_is_what_pynetdicom_reads() -> None:
    message = C_STORE_RSP()
    encoded = encode_response(STORE, 0xA700, "disk at its reserve")
    message.command_set = decode(BytesIO(encoded), True, True)
    elements = message.command_set
    assert elements.CommandField == 0x8001
    assert (elements.MessageIDBeingRespondedTo, elements.Status) == (7, 0xA700)
    assert (elements.AffectedSOPClassUID, elements.AffectedSOPInstanceUID) == (CT, INSTANCE)
    assert elements.ErrorComment == "disk at its reserve"
    assert elements.CommandDataSetType == 0x0101
    assert elements.CommandGroupLength == len(encoded) - 12


def test_a_comment_is_cut_and_kept_plain() -> None:
    encoded = encode_response(STORE, 0xC000, "é" + "x" * 100)
    comment = str(decode(BytesIO(encoded), True, True).ErrorComment)
    assert comment == "?" + "x" * 63


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0\0\0",
        pack("<HHL", 0, 0x0100, 0xFFFFFFFF),
        pack("<HHLH", 8, 0x0016, 2, 1),
        pack("<HHLH", 0, 0x0100, 2, 1),
        pack("<HHLB", 0, 0x0100, 1, 1) + pack("<HHLH", 0, 0x0110, 2, 1) + pack("<HHLH", 0, 0x0800, 2, 1),
    ],
)
def test_other_bytes_are_a_violation(encoded: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        parse_command(encoded)
