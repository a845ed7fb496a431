"""The few search expressions the gateway understands (https://hl7.org/fhir/R4/search.html#token)."""

import re
from urllib.parse import parse_qsl

from gateway.domain.errors import Invalid
from gateway.domain.party import Identifier

_UNESCAPED = re.compile(r"\\([,$|\\])")
_TOKEN = re.compile(r"(?P<system>(?:[^\\|,$]|\\[,$|\\])+)\|(?P<value>(?:[^\\|,]|\\[,$|\\])+)")
_VERSION_TAG = re.compile(r'(W/)?"(?P<version>[1-9][0-9]{0,8})"')


def read_identifier_token(text: str, *, at: str) -> Identifier:
    r"""`system|value`, with `\|`, `\,`, `\$` and `\\` as escapes. Raises Invalid for any other form of a token."""
    match = _TOKEN.fullmatch(text)
    if match is None or not text.isprintable():
        raise Invalid("an identifier is searched as system|value, one only", at=at)
    return Identifier(_UNESCAPED.sub(r"\1", match["system"]), _UNESCAPED.sub(r"\1", match["value"]))


def read_identifier_query(query: str, *, at: str) -> Identifier:
    """The identifier of a query `identifier=system|value` (percent-encoded), as in If-None-Exist.

    Raises:
        Invalid: any other search; a condition that is not understood must not be ignored.
    """
    pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True)
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        raise Invalid("only identifier=system|value is supported as a condition", at=at)
    return read_identifier_token(pairs[0][1], at=at)


def read_version_tag(tag: str, *, at: str) -> int:
    """The version in `W/"3"` (https://hl7.org/fhir/R4/http.html#versioning). Raises Invalid for another form."""
    match = _VERSION_TAG.fullmatch(tag.strip())
    if match is None:
        raise Invalid('If-Match has the form W/"version"', at=at)
    return int(match["version"])
