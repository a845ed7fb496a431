"""Text of a data set as str, whatever Specific Character Set claims; what cannot be read becomes U+FFFD, never a guess.

PS3.3 C.12.1.1.2, PS3.5 6.1.2.5. Unlike pydicom's reader this one neither raises nor warns.
"""

import re

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_ASCII = "ascii"
_TERM = re.compile(r"ISO[ _-]?(2022[ _-])?IR[ _-]?(\d+)")
_DEFAULT_REPERTOIRE = ("", "ISO_IR 6", "ISO 2022 IR 6")
_FRAGMENT = re.compile(rb"\x1b[^\x1b]*|[^\x1b]+")
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")  # ISO 2022: intermediate bytes, then a final one
_MULTI_BYTE = ("iso2022_jp", "iso2022_jp_2")  # Python's codecs of these want to see the escape sequence
_CODES = CODES_TO_ENCODINGS | {b"\x1b(B": _ASCII, b"\x1b$)A": "gb2312"}


def character_set_encoding(specific_character_set: bytes) -> str:
    """Python's name for the first term of (0008,0005); ASCII where it is missing or unknown."""
    return _encoding(specific_character_set.split(b"\\")[0].decode(_ASCII, "replace"))


def character_set_name(specific_character_set: str) -> str:
    """The terms of (0008,0005) that there are; the default repertoire where there is none. Nothing else is repeated."""
    terms = map(_term, specific_character_set.split("\\"))
    return "\\".join(term for term in terms if term and term in python_encoding) or "ISO_IR 6"


def can_spell(text: str, specific_character_set: str) -> bool:
    """Whether each letter is in one of the character sets that (0008,0005) names."""
    encodings = [_encoding(term) for term in specific_character_set.split("\\")]
    return all(any(_has(encoding, letter) for encoding in encodings) for letter in text)


def _has(encoding: str, letter: str) -> bool:
    return letter.encode(encoding, "ignore") != b""


def _encoding(term: str) -> str:
    defined = _term(term)
    return _ASCII if defined in _DEFAULT_REPERTOIRE else python_encoding.get(defined, _ASCII)


def _term(term: str) -> str:
    """As PS3.3 C.12.1.1.2 writes it."""
    stripped = term.strip(" \0").upper()
    spelt = _TERM.fullmatch(stripped)
    if spelt is None:
        return stripped
    return f"ISO 2022 IR {spelt[2]}" if spelt[1] else f"ISO_IR {spelt[2]}"


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
