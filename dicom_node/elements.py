"""Walk the top level of an encoded data set to its very end without decoding or holding what is not asked for.

One walk answers two questions: what do these few tags say, and is the data set whole? A value that is not wanted is
stepped over, so pixel data of any size costs nothing in plain encodings (PS3.5 7, A.1-A.5).
"""

import zlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from mmap import mmap
from struct import Struct
from typing import Protocol

from gateway.domain.errors import Invalid

Buffer = bytes | bytearray | memoryview | mmap
"""Anything whose slices are bytes-like; an mmap keeps a large object out of memory."""

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD  # PS3.5 7.5
_LONG_FORM = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # PS3.5 Table 7.1-1
_SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())  # Table 7.1-2
_MAX_DEPTH = 64  # deeper nesting is an attack on the stack, not a data set
_MAX_VALUE_BYTES = 0xFFFF  # no attribute anyone asks for here is longer
_MAX_INFLATED_BYTES = 2 << 30  # a deflated data set that unfolds further is refused
_INFLATE_STEP = 1 << 18


@dataclass(frozen=True)
class Encoding:
    """How a transfer syntax encodes the data set around its pixel data (PS3.5 10, A)."""

    is_implicit: bool
    is_little_endian: bool
    is_deflated: bool

    @classmethod
    def of(cls, transfer_syntax_uid: str) -> "Encoding":
        """Every syntax that is none of the named few is explicit VR little endian (PS3.5 A.4)."""
        return cls(
            is_implicit=transfer_syntax_uid == "1.2.840.10008.1.2",
            is_little_endian=transfer_syntax_uid != "1.2.840.10008.1.2.2",
            is_deflated=transfer_syntax_uid in _DEFLATED,
        )


_DEFLATED = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"))


class _Source(Protocol):
    def take(self, size_bytes: int) -> bytes | memoryview: ...
    def skip(self, size_bytes: int) -> None: ...
    def is_at_end(self) -> bool: ...


def read_elements(data_set: Buffer, encoding: Encoding, wanted: AbstractSet[int]) -> dict[int, bytes]:
    """The raw values of the `wanted` tags (0xGGGGEEEE) at the top level.

    Raises Invalid when the data set ends early, runs into bytes that are no element, or repeats a wanted tag.
    """
    source: _Source = _Inflated(data_set) if encoding.is_deflated else _Plain(data_set)
    walker = _Walker(source, is_little_endian=encoding.is_little_endian)
    found: dict[int, bytes] = {}
    while True:
        walker.skip_ordinary(wanted, is_implicit=encoding.is_implicit)
        if source.is_at_end():
            return found
        tag, vr, length = walker.header(is_implicit=encoding.is_implicit)
        if tag not in wanted:
            if length != UNDEFINED_LENGTH:
                source.skip(length)
            else:
                walker.skip_undefined(tag, vr, depth=0)
        elif tag in found or length > _MAX_VALUE_BYTES:
            raise Invalid(f"element {tag:08X} is repeated or has an impossible length", at=f"{tag:08X}")
        else:
            found[tag] = bytes(source.take(length))


class _Walker:
    def __init__(self, source: _Source, *, is_little_endian: bool) -> None:
        order = "<" if is_little_endian else ">"
        self._source = source
        self._tag_and_length = Struct(order + "HHL")
        self._explicit = Struct(order + "HH2sH")
        self._length = Struct(order + "L")

    def header(self, *, is_implicit: bool) -> tuple[int, bytes, int]:
        """Tag, VR (empty in implicit VR and for item tags) and value length of the next element (PS3.5 7.1)."""
        raw = self._source.take(8)
        group, element, vr, length = self._explicit.unpack(raw)
        tag = group << 16 | element
        if is_implicit or group == 0xFFFE:
            return tag, b"", self._tag_and_length.unpack(raw)[2]
        if vr in _SHORT_FORM:
            return tag, vr, length
        if vr not in _LONG_FORM and not (vr.isalpha() and vr.isupper()):
            raise Invalid("no data set in the transfer syntax that was announced")
        return tag, vr, self._length.unpack(self._source.take(4))[0]

    def skip_ordinary(self, wanted: AbstractSet[int], *, is_implicit: bool) -> None:
        """A shortcut over the row of plain, unwanted elements ahead; whatever is not simple is left to `header`."""
        source = self._source
        if not isinstance(source, _Plain):
            return
        at, buffer = source.at, source.buffer
        last_header = len(buffer) - 8
        read_implicit, read_explicit = self._tag_and_length.unpack_from, self._explicit.unpack_from
        while at <= last_header:
            if is_implicit:
                group, element, length = read_implicit(buffer, at)
            else:
                group, element, vr, length = read_explicit(buffer, at)
                if vr not in _SHORT_FORM:
                    break
            if group << 16 | element in wanted or length > last_header - at:
                break
            at += 8 + length
        source.at = at

    def skip_undefined(self, tag: int, vr: bytes, *, depth: int) -> None:
        """Step over a value of undefined length by following it to its delimiter (PS3.5 7.5, A.4)."""
        if tag == 0x7FE00010 or vr in (b"OB", b"OW"):
            self._skip_fragments()
        elif vr == b"UN":  # PS3.5 6.2.2: unknown and undefined means implicit VR little endian inside
            _Walker(self._source, is_little_endian=True)._skip_sequence(is_implicit=True, depth=depth + 1)
        elif vr in (b"SQ", b""):
            self._skip_sequence(is_implicit=not vr, depth=depth + 1)
        else:
            raise Invalid(f"element {tag:08X} may not have an undefined length", at=f"{tag:08X}")

    def _skip_fragments(self) -> None:
        while True:
            tag, _, length = self.header(is_implicit=True)
            if tag == SEQUENCE_END:
                return
            if tag != ITEM or length == UNDEFINED_LENGTH:
                raise Invalid("encapsulated pixel data is not a row of fragments", at="PixelData")
            self._source.skip(length)

    def _skip_sequence(self, *, is_implicit: bool, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise Invalid("sequences are nested too deeply")
        while True:
            tag, _, length = self.header(is_implicit=True)
            if tag == SEQUENCE_END:
                return
            if tag != ITEM:
                raise Invalid("a sequence holds something that is not an item")
            if length == UNDEFINED_LENGTH:
                self._skip_item(is_implicit=is_implicit, depth=depth)
            else:
                self._source.skip(length)

    def _skip_item(self, *, is_implicit: bool, depth: int) -> None:
        while True:
            tag, vr, length = self.header(is_implicit=True) if is_implicit else self._nested_header()
            if tag == ITEM_END:
                return
            if length != UNDEFINED_LENGTH:
                self._source.skip(length)
            else:
                self.skip_undefined(tag, vr, depth=depth)

    def _nested_header(self) -> tuple[int, bytes, int]:
        """An element of an item in explicit VR; some senders switch to implicit VR inside items: read too."""
        raw = self._source.take(8)
        group, element, vr, length = self._explicit.unpack(raw)
        tag = group << 16 | element
        if group != 0xFFFE and vr in _SHORT_FORM:
            return tag, vr, length
        if group != 0xFFFE and vr in _LONG_FORM and length == 0:  # the two reserved bytes
            return tag, vr, self._length.unpack(self._source.take(4))[0]
        return tag, b"", self._tag_and_length.unpack(raw)[2]


def _ended_early() -> Invalid:
    return Invalid("the data set ends in the middle of an element")


class _Plain:
    def __init__(self, buffer: Buffer) -> None:
        self.buffer = memoryview(buffer)
        self.at = 0
        self._end = len(buffer)

    def take(self, size_bytes: int) -> memoryview:
        start, stop = self.at, self.at + size_bytes
        if stop > self._end:
            raise _ended_early()
        self.at = stop
        return self.buffer[start:stop]

    def skip(self, size_bytes: int) -> None:
        self.at += size_bytes
        if self.at > self._end:
            raise _ended_early()

    def is_at_end(self) -> bool:
        return self.at == self._end


class _Inflated:
    """A raw deflate stream (PS3.5 A.5) unfolded piece by piece, never as a whole."""

    def __init__(self, buffer: Buffer) -> None:
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self._compressed = buffer
        self._read = 0
        self._pending = b""
        self._inflated = 0

    def take(self, size_bytes: int) -> bytes:
        while len(self._pending) < size_bytes:
            if not self._grow():
                raise _ended_early()
        taken, self._pending = self._pending[:size_bytes], self._pending[size_bytes:]
        return taken

    def skip(self, size_bytes: int) -> None:
        while size_bytes > len(self._pending):
            size_bytes -= len(self._pending)
            self._pending = b""
            if not self._grow():
                raise _ended_early()
        self._pending = self._pending[size_bytes:]

    def is_at_end(self) -> bool:
        return not self._pending and not self._grow()

    def _grow(self) -> bool:
        """Unfold a little more; False at the end of the stream, Invalid when that end is missing."""
        while not self._inflater.eof:
            source = self._inflater.unconsumed_tail or self._next_compressed()
            if not source:
                raise _ended_early()
            try:
                piece = self._inflater.decompress(source, _INFLATE_STEP)
            except zlib.error as exc:
                raise Invalid("the deflated data set cannot be inflated") from exc
            if piece:
                self._inflated += len(piece)
                if self._inflated > _MAX_INFLATED_BYTES:
                    raise Invalid("the deflated data set unfolds beyond any plausible size")
                self._pending += piece
                return True
        return False

    def _next_compressed(self) -> bytes:
        start = self._read
        self._read = min(len(self._compressed), start + _INFLATE_STEP)
        return bytes(self._compressed[start : self._read])
