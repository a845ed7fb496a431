"""What is remembered with a time says its zone."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.domain.delivery import EgressGrant, Receipt
from gateway.domain.report import Report
from gateway.domain.story import Station, Wait

AWARE = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAKERS: dict[str, Callable[[datetime], Any]] = {
    "receipt at": lambda moment: Receipt(moment, "0x0000", "1.2.3", "00"),
    "grant expires_at": lambda moment: EgressGrant("1", "2", "00", moment),
    "station at": lambda moment: Station(moment, "order received"),
    "wait since": lambda moment: Wait("a reviewer", moment, "an administrator"),
    "report signed_at": lambda moment: Report("1", 1, "final", "CS-1", "A", "B", moment, "", ()),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_time_without_a_zone_is_refused(name: str) -> None:
    MAKERS[name](AWARE)
    with pytest.raises(ValueError, match=f"{name.split()[1]} must be aware"):
        MAKERS[name](AWARE.replace(tzinfo=None))
