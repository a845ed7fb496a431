"""How long a FHIR date is: from its first moment to the first one after it (https://hl7.org/fhir/R4/search.html#date)."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from gateway.domain.errors import Invalid

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""What is open begins and ends there; both databases can hold them in every zone."""

_WRITTEN = re.compile(
    r"(?P<year>[0-9]{4})(-(?P<month>[0-9]{2})(-(?P<day>[0-9]{2})"
    r"(T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?"
)
_MICROSECOND_DIGITS = 6


def span_of(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moment of a date, dateTime or instant and the first one after it, in UTC, as precise as it is written.

    Without a zone of its own it is one of `zone`. A leap second is taken for the second before it. Raises Invalid.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise Invalid("a date is YYYY, YYYY-MM, YYYY-MM-DD, or YYYY-MM-DDThh:mm:ss and a time zone")
    given = match.groupdict()
    try:
        begin = _begin(given, zone)
        return _in_utc(begin), _in_utc(_end(begin, given))
    except ValueError:
        raise Invalid("there is no such date") from None


def _begin(given: dict[str, str | None], zone: tzinfo) -> datetime:
    parts = [int(given[name] or least) for name, least in (("year", 1), ("month", 1), ("day", 1))]
    hour, minute, second = (int(given[name] or 0) for name in ("hour", "minute", "second"))
    microsecond = int((given["fraction"] or "0")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0"))
    if given["zone"] is not None:
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{given['zone']}").tzinfo or UTC
    year, month, day = parts
    return datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=zone)


def _end(begin: datetime, given: dict[str, str | None]) -> datetime:
    """The same wall clock's next year, month or day; of a time, the next minute, second or fraction."""
    try:
        if given["month"] is None:
            return begin.replace(year=begin.year + 1)
        if given["day"] is None:
            return (begin + timedelta(days=31)).replace(day=1)
        if given["hour"] is None:
            return begin + timedelta(days=1)
        return (begin.astimezone(UTC) + _unit(given)).astimezone(begin.tzinfo)
    except (ValueError, OverflowError):
        return LATEST


def _unit(given: dict[str, str | None]) -> timedelta:
    if given["second"] is None:
        return timedelta(minutes=1)
    digits = min(len(given["fraction"] or ""), _MICROSECOND_DIGITS)
    return timedelta(microseconds=10 ** (_MICROSECOND_DIGITS - digits))


def _in_utc(moment: datetime) -> datetime:
    try:
        return min(max(moment.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:
        return EARLIEST if moment.year == 1 else LATEST
