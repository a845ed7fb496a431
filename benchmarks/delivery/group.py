"""All measurements of the group, one after another, and those that take longer."""

from functools import partial

from benchmarks.delivery import (
    GROUP,
    broker_wipe,
    dead_destinations,
    forwarding,
    hospital_day,
    million_rows,
    overhead,
    signed_report,
    study_cost,
)
from benchmarks.measuring import Measurement

MEASUREMENTS = (
    Measurement(GROUP, "signed-report", signed_report.run),
    Measurement(GROUP, "dead-destinations", dead_destinations.run),
    Measurement(GROUP, "overhead", overhead.run),
    Measurement(GROUP, "broker-wipe", broker_wipe.run),
    Measurement(GROUP, "hospital-hours", hospital_day.run),
    Measurement(GROUP, "forwarding", forwarding.run),
    Measurement(GROUP, "study-cost", study_cost.run),
)
AT_LENGTH = (
    Measurement("at-length", "hospital-day", partial(hospital_day.run, hospital_day.DAY)),
    Measurement("at-length", "million-rows", million_rows.run),
)
"""`make soak` runs them too; `make bench` where they are asked for."""
