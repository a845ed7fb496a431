"""FHIR dates in the precision they were written in, and the instants they stand for in a time zone.

https://hl7.org/fhir/R4/datatypes.html#dateTime and #Period: the end of a period includes any matching date or time,
so `2026-03-31` ends when that day ends, `2026-03` when that month does, `2026-03-31T10:00:00Z` after that second.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

DISTANT_PAST = datetime.min.replace(tzinfo=UTC)
FAR_FUTURE = datetime.max.replace(tzinfo=UTC)
"""Stands for "never ends"; year 9999, which some systems send for that, is read as this."""

Instants = tuple[datetime, datetime]
"""From the first (inclusive) to the second (exclusive), in UTC."""

_PATTERN = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    r"(?P<time>T(?P<clock>\d{2}:\d{2}:\d{2})(\.(?P<fraction>\d+))?(?P<offset>Z|[+-]\d{2}:\d{2}))?)?)?",
    re.ASCII,
)
_MICROSECOND_DIGITS = 6
_DECEMBER = 12


@dataclass(frozen=True)
class Moment:
    """A FHIR date or dateTime: from `first` (inclusive) to `after` (exclusive).

    Both are dates, which become instants only in a zone, or both are datetimes in UTC.
    """

    text: str
    first: date | datetime
    after: date | datetime

    @classmethod
    def parse(cls, text: str) -> "Moment":
        """The moment a FHIR date or dateTime names. Raises ValueError for any other text."""
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise ValueError("not a FHIR date or dateTime")
        if found["time"]:
            return cls(text, *_second(found))
        return cls(text, *_calendar(int(found["year"]), found["month"], found["day"]))

    def begins_at(self, zone: tzinfo) -> datetime:
        """The first instant it includes, in UTC."""
        return _instant(self.first, zone)

    def ends_at(self, zone: tzinfo) -> datetime:
        """The first instant it no longer includes, in UTC."""
        return _instant(self.after, zone)


@dataclass(frozen=True)
class Period:
    """A FHIR Period; a missing bound is open."""

    start: Moment | None = None
    end: Moment | None = None

    @property
    def texts(self) -> tuple[str, str]:
        """Start and end as they were written; empty where open."""
        return self.start.text if self.start else "", self.end.text if self.end else ""

    def window(self, zone: tzinfo) -> Instants:
        """From the first instant included to the first one no longer included, in UTC."""
        begin = self.start.begins_at(zone) if self.start else DISTANT_PAST
        return begin, self.end.ends_at(zone) if self.end else FAR_FUTURE


@lru_cache(maxsize=4096)
def midnight(day: date, zone: tzinfo) -> datetime:
    """The instant at which a calendar day begins in the zone, in UTC."""
    if day.year in (date.min.year, date.max.year):
        return DISTANT_PAST if day.year == date.min.year else FAR_FUTURE
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _instant(value: date | datetime, zone: tzinfo) -> datetime:
    return value if isinstance(value, datetime) else midnight(value, zone)


def _calendar(year: int, month: str | None, day: str | None) -> tuple[date, date]:
    first = date(year, int(month or 1), int(day or 1))
    if year == date.max.year:
        return first, date.max
    if day:
        return first, first + timedelta(days=1)
    if month and first.month < _DECEMBER:
        return first, date(year, first.month + 1, 1)
    return first, date(year + 1, 1, 1)


def _second(found: re.Match[str]) -> tuple[datetime, datetime]:
    digits = found["fraction"] or ""
    clock, leap = found["clock"], timedelta()
    if clock.endswith(":60"):  # a leap second is valid FHIR, and no datetime
        clock, leap = clock[:-2] + "59", timedelta(seconds=1)
    fraction = f".{digits[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, '0')}"
    day = f"{found['year']}-{found['month']}-{found['day']}"
    local = datetime.fromisoformat(f"{day}T{clock}{fraction}{found['offset'].replace('Z', '+00:00')}")
    if local.year in (date.min.year, date.max.year):
        clamped = DISTANT_PAST if local.year == date.min.year else FAR_FUTURE
        return clamped, clamped
    begin = local.astimezone(UTC) + leap
    return begin, begin + timedelta(microseconds=10 ** max(_MICROSECOND_DIGITS - len(digits), 0))
