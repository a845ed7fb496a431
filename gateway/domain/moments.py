"""A time says its zone."""

from datetime import datetime


def require_aware(**moments: datetime) -> None:
    """Raise ValueError, naming the field, for a datetime without a zone."""
    for name, moment in moments.items():
        if moment.utcoffset() is None:
            raise ValueError(f"{name} must be aware of its time zone")
