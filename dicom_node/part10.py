"""The DICOM file format around a data set: preamble, prefix and file meta information (PS3.10 7.1)."""

from io import BytesIO
from struct import pack, unpack_from

from pydicom import Dataset, FileDataset, dcmread, dcmwrite

from dicom_node.elements import Buffer, Encoding, read_elements
from gateway.domain.errors import Invalid

IMPLEMENTATION_CLASS_UID = "2.25.101594286353012617205764498235510853961"
"""Ours (PS3.5 B.2, a random UUID); it stands in stored files, so it never changes."""

_PREFIX_END = 132
_TRANSFER_SYNTAX_UID = 0x00020010
_EXPLICIT_LITTLE_ENDIAN = Encoding(is_implicit=False, is_little_endian=True, is_deflated=False)


def build_file_header(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """The bytes that make a received data set a file.

    A function of these three UIDs alone, so that equal data sets in equal transfer syntaxes become equal files.
    """
    body = b"".join(
        (
            pack("<HH2sHLH", 0x0002, 0x0001, b"OB", 0, 2, 0x0100),  # FileMetaInformationVersion 00 01
            _uid_element(0x0002, sop_class_uid),
            _uid_element(0x0003, sop_instance_uid),
            _uid_element(0x0010, transfer_syntax_uid),
            _uid_element(0x0012, IMPLEMENTATION_CLASS_UID),
        )
    )
    return bytes(128) + b"DICM" + pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(body)) + body


def split_file(part10: Buffer) -> tuple[str, int]:
    """Transfer syntax and offset of the data set. Raises Invalid for anything that is not a Part 10 file."""
    if bytes(part10[128:_PREFIX_END]) != b"DICM":
        raise Invalid("not a DICOM file: the DICM prefix is missing")
    if len(part10) < _PREFIX_END + 12:
        raise Invalid("the file meta information is missing")
    group, element, vr, length, value = unpack_from("<HH2sHL", part10, _PREFIX_END)
    has_group_length = (group, element, vr, length) == (0x0002, 0x0000, b"UL", 4)
    end = _PREFIX_END + 12 + value if has_group_length else _end_of_group_two(part10)
    if end > len(part10):
        raise Invalid("the file ends inside its meta information")
    meta = read_elements(bytes(part10[_PREFIX_END:end]), _EXPLICIT_LITTLE_ENDIAN, {_TRANSFER_SYNTAX_UID})
    transfer_syntax_uid = meta.get(_TRANSFER_SYNTAX_UID, b"").rstrip(b"\0 ").decode("ascii", "replace")
    if not transfer_syntax_uid:
        raise Invalid("the file names no transfer syntax", at="TransferSyntaxUID")
    return transfer_syntax_uid, end


def read_object(part10: bytes) -> FileDataset:
    """The file as a data set, values decoded as they are asked for. Raises Invalid for what cannot be read."""
    try:
        return dcmread(BytesIO(part10))
    except Exception as exc:  # pydicom raises whatever the bytes provoke
        raise Invalid("the object cannot be read") from exc


def object_bytes(dataset: Dataset) -> bytes:
    """The data set, with its file meta, as a Part 10 file. Raises Invalid for what cannot be written."""
    output = BytesIO()
    try:
        dcmwrite(output, dataset, enforce_file_format=True)
    except Exception as exc:  # pydicom raises whatever the values provoke
        raise Invalid("the object cannot be written") from exc
    return output.getvalue()


def _end_of_group_two(part10: Buffer) -> int:
    """Where group 2 ends in a file that leaves out the group length, against PS3.10 7.1."""
    at = _PREFIX_END
    while at + 12 <= len(part10) and unpack_from("<H", part10, at)[0] == 0x0002:
        vr, short = unpack_from("<2sH", part10, at + 4)
        is_long = vr in (b"OB", b"UN", b"OW", b"UT", b"SQ")
        at += 12 + unpack_from("<L", part10, at + 8)[0] if is_long else 8 + short
    return at


def _uid_element(element: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    value += b"\0" * (len(value) % 2)  # PS3.5 9.1
    return pack("<HH2sH", 0x0002, element, b"UI", len(value)) + value
