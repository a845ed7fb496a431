"""All measurements of the group, one after another."""

from benchmarks.delivery import (
    broker_wipe,
    dead_destinations,
    forwarding,
    hospital_day,
    million_rows,
    overhead,
    signed_report,
)
from benchmarks.result import Result


def run() -> list[Result]:
    """As `make bench ONLY=delivery` shows them."""
    return [
        *signed_report.run(),
        *dead_destinations.run(),
        *overhead.run(),
        *broker_wipe.run(),
        *hospital_day.run(),
        *forwarding.run(),
        *million_rows.run(),
    ]
