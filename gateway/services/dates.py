"""Dates as people write them on a command line or in a request, read as in a consent: in the custodian's time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.domain.consent import Moment
from gateway.domain.errors import Invalid
from gateway.domain.party import Party


def begin_of(text: str, custodian: Party, *, at: str) -> datetime | None:
    """The first instant of a FHIR date or dateTime; None for ''. Raises Invalid."""
    return _moment(text, at).begins_at(ZoneInfo(custodian.time_zone)) if text else None


def end_of(text: str, custodian: Party, *, at: str) -> datetime | None:
    """The first instant after it: `2026-03-31` ends when that day ends there; None for ''. Raises Invalid."""
    return _moment(text, at).ends_at(ZoneInfo(custodian.time_zone)) if text else None


def _moment(text: str, at: str) -> Moment:
    try:
        return Moment.parse(text)
    except ValueError:
        raise Invalid("a date is YYYY-MM-DD, or a FHIR dateTime such as 2026-03-31T12:00:00+03:00", at=at) from None
