"""Text of a data set as str, whatever Specific Character Set claims; what cannot be read becomes U+FFFD, never a guess.

PS3.3 C.12.1.1.2, PS3.5 6.1.2.5. Unlike pydicom's reader this one neither raises nor warns.
"""

import re

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_ASCII = "ascii"
_TERM = re.compile(r"ISO[ _-]?(2022[ _-])?IR[ _-]?(\d+)")
_FRAGMENT = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")  # ISO 2022: intermediate bytes, then a final one
_MULTI_BYTE = ("iso2022_jp", "iso2022_jp_2")  # Python's codecs of these want to see the escape sequence
_CODES = CODES_TO_ENCODINGS | {b"\x1b(B": _ASCII, b"\x1b$)A": "gb2312"}


def character_set_encoding(specific_character_set: bytes) -> str:
    """Python's name for the first term of (0008,0005); ASCII where it is missing or unknown."""
    first = specific_character_set.split(b"\\")[0].decode(_ASCII, "replace").strip(" \0").upper()
    spelt = _TERM.fullmatch(first)
    if spelt:
        first = f"ISO 2022 IR {spelt[2]}" if spelt[1] else f"ISO_IR {spelt[2]}"
    if first in ("", "ISO_IR 6", "ISO 2022 IR 6"):
        return _ASCII
    return python_encoding.get(first, _ASCII)


def decode_text(value: bytes, encoding: str) -> str:
    """Decode with `encoding`, following ISO 2022 escape sequences wherever they occur."""
    if b"\x1b" not in value:
        return value.decode(encoding, "replace")
    return "".join(_decode_fragment(fragment, encoding) for fragment in _FRAGMENT.findall(value))


def _decode_fragment(fragment: bytes, encoding: str) -> str:
    escape = _ESCAPE.match(fragment)
    if escape is None:
        return fragment.replace(b"\x1b", b"").decode(encoding, "replace")
    switched = _CODES.get(escape.group())
    if switched is None:
        return fragment[escape.end() :].decode(_ASCII, "replace")
    if switched in _MULTI_BYTE:
        return fragment.decode(switched, "replace")
    return fragment[escape.end() :].decode(switched, "replace")
