from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.search_dates import EARLIEST, LATEST, span_of
from gateway.domain.errors import Invalid

ISTANBUL, BERLIN = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", "2025-12-31T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026-02", "2026-01-31T21:00:00Z", "2026-02-28T21:00:00Z"),
        ("2026-12", "2026-11-30T21:00:00Z", "2026-12-31T21:00:00Z"),
        ("2026-03-31", "2026-03-30T21:00:00Z", "2026-03-31T21:00:00Z"),
        ("2026-03-31T10:00", "2026-03-31T07:00:00Z", "2026-03-31T07:01:00Z"),
        ("2026-03-31T10:00:05", "2026-03-31T07:00:05Z", "2026-03-31T07:00:06Z"),
        ("2026-03-31T10:00:05-05:00", "2026-03-31T15:00:05Z", "2026-03-31T15:00:06Z"),
        ("2026-03-31T10:00:05.5Z", "2026-03-31T10:00:05.500Z", "2026-03-31T10:00:05.600Z"),
        ("2026-03-31T10:00:05.1234567Z", "2026-03-31T10:00:05.123456Z", "2026-03-31T10:00:05.123457Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_a_date_is_as_long_as_it_is_precise(text: str, low: str, high: str) -> None:
    assert span_of(text, ISTANBUL) == (datetime.fromisoformat(low), datetime.fromisoformat(high))


def test_a_day_on_which_the_clock_changes_has_another_length() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)):
        low, high = span_of(day, BERLIN)
        assert high - low == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["0001", "0001-01-01", "9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_time_are_cut_off(text: str) -> None:
    for zone in (ISTANBUL, UTC, ZoneInfo("America/New_York")):
        low, high = span_of(text, zone)
        assert EARLIEST <= low <= high <= LATEST


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-02-30", "2026-01-01T25:00:00Z", "2026-1-1", "x", "2026T10:00"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        span_of(text, UTC)
