"""Small encoded data sets, byte by byte, for what pydicom would refuse to write."""

from struct import pack

UIDS = {
    0x00080016: "1.2.840.10008.5.1.4.1.1.2",
    0x00080018: "1.2.3.4",
    0x0020000D: "1.2.3",
    0x0020000E: "1.2.3.1",
}


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in explicit VR little endian, padded to an even length."""
    value += (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) % 2)
    if vr in ("OB", "OW", "SQ", "UN"):
        return pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)) + value
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def data_set(**changed: tuple[int, str, bytes]) -> bytes:
    """The four UIDs and what else is given as name=(tag, VR, value), in the order of the tags."""
    elements = {tag: element(tag, "UI", uid.encode()) for tag, uid in UIDS.items()}
    for tag, vr, value in changed.values():
        elements[tag] = element(tag, vr, value)
    return b"".join(elements[tag] for tag in sorted(elements))
