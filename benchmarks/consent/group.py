"""The measurements of the group."""

from benchmarks.consent import GROUP, checks, deciding
from benchmarks.measuring import Measurement

MEASUREMENTS = (
    Measurement(GROUP, "deciding", deciding.run),
    Measurement(GROUP, "checks", checks.run),
)
