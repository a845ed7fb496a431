"""Whoever was turned away, on the way to who keeps it."""

import threading
from datetime import UTC, datetime

import structlog

from dicom_node.scp import Refusal
from dicom_node.scp.refusals import Refusals


def test_the_time_is_that_of_the_refusal() -> None:
    before, refusal, after = datetime.now(UTC), Refusal("no-tls", "192.0.2.1"), datetime.now(UTC)
    assert before <= refusal.at <= after


def test_what_is_not_kept_when_it_stops_is_counted_in_the_log() -> None:
    may_go_on, is_keeping = threading.Event(), threading.Event()

    def keep(_refusal: Refusal) -> None:
        is_keeping.set()
        may_go_on.wait(10)

    refusals = Refusals(keep)
    for _ in range(3):
        refusals.add(Refusal("no-tls", "192.0.2.1", "A NAME"))
    assert is_keeping.wait(10)
    with structlog.testing.capture_logs() as lines:
        refusals.stop(0)
    may_go_on.set()
    assert lines == [{"event": "refusals_unrecorded", "count": 3, "log_level": "warning"}]


def test_when_all_is_kept_nothing_is_said() -> None:
    kept: list[Refusal] = []
    refusals = Refusals(kept.append)
    refusals.add(Refusal("no-tls", "192.0.2.1"))
    with structlog.testing.capture_logs() as lines:
        refusals.stop(10)
    assert (len(kept), lines) == (1, [])
