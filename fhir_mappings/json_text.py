"""FHIR JSON as text: strict on the way in, faithful on the way out (https://hl7.org/fhir/R4/json.html).

The standard library's parser keeps the last of two equal keys, takes NaN and turns 1.00 into 1.0. A resource is
kept as its author wrote it, so that the precision of a decimal survives (https://hl7.org/fhir/R4/datatypes.html#decimal).
"""

import json
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NoReturn, Self

from gateway.domain.errors import Invalid

FHIR_JSON = "application/fhir+json"
"""https://hl7.org/fhir/R4/http.html#mime-type"""

DEEPEST = 50
"""Levels of arrays and objects; R4 resources of the accepted types need about 15."""

_LONGEST_NUMBER = 60
_LARGEST_EXPONENT = re.compile(r"[^eE]*([eE][+-]?[0-9]{1,3})?")


class Number(Decimal):
    """A JSON number with a fraction or an exponent that is written again exactly as it was read."""

    literal: str

    def __new__(cls, literal: str) -> Self:
        """`literal` is the number as it stands in the JSON text."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def read_json(text: bytes, *, deepest: int = DEEPEST) -> Any:
    """The value that the UTF-8 JSON text says; numbers with a fraction or exponent become `Number`.

    Raises:
        Invalid: not UTF-8 or not JSON (RFC 8259), a key twice in an object, NaN or Infinity, a number beyond all
            measure, a lone surrogate, a NUL, or nested more than `deepest` levels. The message never quotes the text.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("the body is not UTF-8") from None
    try:
        value = _DECODER.decode(decoded)
    except json.JSONDecodeError as exc:
        raise Invalid(f"the body is not JSON (line {exc.lineno}, column {exc.colno})") from None
    except RecursionError:
        raise _too_deep(deepest) from None
    _check(value, deepest)
    return value


def read_own_json(text: bytes) -> Any:
    """The value of a text that `write_json` made of what `read_json` gave: nothing of it is checked again."""
    return _OWN_DECODER.decode(text.decode("utf-8"))


def write_json(value: Any) -> bytes:
    """The value as compact UTF-8 JSON, members in their order; a `Number` as it was read."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode("utf-8")


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) != len(members):
        raise Invalid("an object has the same member twice")
    return unique


def _fraction(literal: str) -> Number:
    if len(literal) > _LONGEST_NUMBER or not _LARGEST_EXPONENT.fullmatch(literal):
        raise Invalid("a number is too long")
    return Number(literal)


def _integer(literal: str) -> int:
    if len(literal) > _LONGEST_NUMBER:
        raise Invalid("a number is too long")
    return int(literal)


def _constant(_literal: str) -> NoReturn:
    raise Invalid("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_fraction, parse_int=_integer, parse_constant=_constant
)
_OWN_DECODER = json.JSONDecoder(parse_float=Number)


def _too_deep(deepest: int) -> Invalid:
    return Invalid(f"the body is nested more than {deepest} levels deep")


def _check(value: Any, deepest: int) -> None:
    """Depth and surrogates, level by level, without recursion."""
    level, depth = [value], 0
    while level:
        depth += any(isinstance(one, dict | list) for one in level)
        if depth > deepest:
            raise _too_deep(deepest)
        level = [inner for one in level for inner in _members(one)]


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, str):
        _check_characters(value)
    return value if isinstance(value, list) else []


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise Invalid("a string has a NUL character")
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Invalid("a string has half of a surrogate pair") from None


def _write(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, member in value.items():
            parts.append(f"{separator}{encode_basestring(key)}:")
            _write(member, parts)
            separator = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, list | tuple):
        separator = "["
        for item in value:
            parts.append(separator)
            _write(item, parts)
            separator = ","
        parts.append("]" if value else "[]")
    else:
        parts.append(_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return value.literal
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, allow_nan=False)
