"""The lexical rules of FHIR R4 primitive types (https://hl7.org/fhir/R4/datatypes.html)."""

import base64
import binascii
import re
from datetime import date, datetime

from gateway.domain.errors import Invalid

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_YEAR = r"(?!0000)[0-9]{4}"
_MONTH = r"(0[1-9]|1[0-2])"
_DAY = r"(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_OID = r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+"
_UUID = r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_URI = re.compile(rf"{_OID}|{_UUID}|(?!urn:(oid|uuid):)\S+")
"""An OID or a UUID in its own form, anything else without white space."""

_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MIME_PARAMETER = rf"[ \t]*;[ \t]*{_NAME}=({_NAME}|\"[ -!#-\[\]-~]*\")"

FORMATS = {
    "id": ID,
    "date": re.compile(f"{_YEAR}(-{_MONTH}(-{_DAY})?)?"),
    "dateTime": re.compile(f"{_YEAR}(-{_MONTH}(-{_DAY}(T{_TIME}{_ZONE})?)?)?"),
    "instant": re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}"),
    "time": re.compile(_TIME),
    "code": re.compile(r"\S+( \S+)*"),
    "uri": _URI,
    "url": _URI,
    "canonical": _URI,
    "mimeType": re.compile(rf"{_NAME}/{_NAME}({_MIME_PARAMETER})*"),
    "oid": re.compile(_OID),
    "uuid": re.compile(_UUID),
    "string": re.compile(r"[ \r\n\t\S]+"),
    "markdown": re.compile(r"[ \r\n\t\S]+"),
}
_INTEGERS = {
    "integer": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
}
_MOST_CHARACTERS = 1024 * 1024
"""R4 datatypes: strings SHALL NOT exceed 1 MB in size."""
_UNLIMITED = ("base64Binary", "xhtml")


def check_primitive(value: object, primitive: str, *, at: str) -> None:
    """Do nothing when `value` is a JSON value of the FHIR type `primitive`.

    A date has to exist in the calendar. The narrative type `xhtml` is only checked to be text.

    Raises:
        Invalid: wrong JSON type or form; the message names type and place, never the value.
    """
    if not _is_valid(value, primitive):
        raise Invalid(f"the value is not a FHIR {primitive}", at=at)


def _is_valid(value: object, primitive: str) -> bool:
    if primitive == "boolean":
        return isinstance(value, bool)
    if primitive in _INTEGERS:
        low, high = _INTEGERS[primitive]
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    if primitive == "decimal":
        return not isinstance(value, bool | str | dict | list) and value is not None
    if not isinstance(value, str) or (primitive not in _UNLIMITED and len(value) > _MOST_CHARACTERS):
        return False
    if primitive == "base64Binary":
        return decode_base64(value) is not None
    form = FORMATS.get(primitive)
    if form is not None and form.fullmatch(value) is None:
        return False
    return primitive not in ("date", "dateTime", "instant") or _is_in_calendar(value)


def decode_base64(value: str) -> bytes | None:
    """The bytes of a base64Binary (white space inside is allowed), or None when it is empty or not base64."""
    try:
        return base64.b64decode("".join(value.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _is_in_calendar(value: str) -> bool:
    day = value[:10]
    if len(day) < 10:
        return True
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def read_instant(value: object, *, at: str) -> datetime:
    """A dateTime or instant with a time and a zone, as an aware datetime.

    Raises:
        Invalid: not a dateTime, or one of day, time and zone is missing; also a leap second, which has no datetime.
    """
    check_primitive(value, "dateTime", at=at)
    try:
        check_primitive(value, "instant", at=at)
        return datetime.fromisoformat(str(value))
    except (Invalid, ValueError):
        raise Invalid("a day, a time and a time zone are needed here", at=at) from None


def read_day(value: object, *, at: str) -> date:
    """The day of a date, dateTime or instant, as its author wrote it (in the zone stated there).

    Raises:
        Invalid: not a dateTime, or without a day.
    """
    check_primitive(value, "dateTime", at=at)
    text = str(value)
    if len(text) < 10:
        raise Invalid("year, month and day are needed here", at=at)
    return date.fromisoformat(text[:10])
