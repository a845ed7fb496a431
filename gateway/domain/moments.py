"""A time says its zone."""

from datetime import UTC, datetime


def require_aware(**moments: datetime) -> None:
    """Raise ValueError, naming the field, for a datetime without a zone."""
    for name, moment in moments.items():
        if moment.utcoffset() is None:
            raise ValueError(f"{name} must be aware of its time zone")


def utc_in_words(moment: datetime, *, to_the: str = "second") -> str:
    """`2026-03-02 09:30:00 UTC`, whichever zone the moment is told in; without the seconds to the `minute`."""
    clock = "%H:%M" if to_the == "minute" else "%H:%M:%S"
    return f"{moment.astimezone(UTC):%Y-%m-%d {clock}} UTC"
