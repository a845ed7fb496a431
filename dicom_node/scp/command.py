"""DIMSE command sets: always implicit VR little endian (PS3.7 6.3), so a few lines read and write them."""

from dataclasses import dataclass
from struct import error as struct_error
from struct import pack, unpack, unpack_from

from dicom_node.scp.pdu import ProtocolViolation

C_STORE_RQ, C_ECHO_RQ, C_CANCEL_RQ = 0x0001, 0x0030, 0x0FFF  # PS3.7 E.1
_RESPONSE = 0x8000
_NO_DATA_SET = 0x0101
_MAX_COMMENT = 64  # LO


@dataclass(frozen=True)
class Command:
    """A request as far as a storage node needs it; `sop_instance_uid` is empty in C-ECHO."""

    field: int
    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool


def parse_command(encoded: bytes) -> Command:
    """Raises ProtocolViolation for bytes that are no command set or lack a mandatory element."""
    elements: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(encoded):
            group, element, length = unpack_from("<HHL", encoded, at)
            at += 8 + length
            if group != 0 or at > len(encoded):
                raise ProtocolViolation("malformed command set")
            elements[element] = encoded[at - length : at]
        return Command(
            field=unpack("<H", elements[0x0100])[0],
            message_id=unpack("<H", elements[0x0110 if 0x0110 in elements else 0x0120])[0],
            sop_class_uid=_text(elements.get(0x0002, b"")),
            sop_instance_uid=_text(elements.get(0x1000, b"")),
            has_data_set=unpack("<H", elements[0x0800])[0] != _NO_DATA_SET,
        )
    except (KeyError, struct_error) as exc:
        raise ProtocolViolation("command set without its mandatory elements") from exc


def encode_response(request: Command, status: int, comment: str = "") -> bytes:
    """The response to `request` (PS3.7 9.3.1.2, 9.3.5.2). `comment` tells a failure's reason, without patient data."""
    elements = [
        _element(0x0002, _padded(request.sop_class_uid, b"\0")) if request.sop_class_uid else b"",
        _element(0x0100, pack("<H", request.field | _RESPONSE)),
        _element(0x0120, pack("<H", request.message_id)),
        _element(0x0800, pack("<H", _NO_DATA_SET)),
        _element(0x0900, pack("<H", status)),
        _element(0x0902, _padded(comment[:_MAX_COMMENT], b" ")) if comment else b"",
        _element(0x1000, _padded(request.sop_instance_uid, b"\0")) if request.sop_instance_uid else b"",
    ]
    body = b"".join(elements)
    return _element(0x0000, pack("<L", len(body))) + body


def _element(element: int, value: bytes) -> bytes:
    return pack("<HHL", 0, element, len(value)) + value


def _padded(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", "replace")
    return value + padding * (len(value) % 2)


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")
