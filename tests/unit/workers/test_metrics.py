"""What a worker counts."""

from pathlib import Path

from gateway.disk_figures import DiskFigures
from gateway.domain.work import JobKind
from gateway.services.work import JobOutcome
from workers.metrics import WorkerMetrics

DISK = DiskFigures(Path(), 1)


def test_attempts_are_counted_by_kind_and_outcome_and_timed_by_kind() -> None:
    metrics, other = WorkerMetrics(DISK), WorkerMetrics(DISK)
    metrics.ended(JobKind.STUDY_SETTLE, JobOutcome.DONE, 0.2)
    metrics.ended(JobKind.STUDY_SETTLE, JobOutcome.DONE, 0.3)
    metrics.ended(JobKind.DELIVERY_SEND, JobOutcome.POSTPONED, 9.0)
    value = metrics.registry.get_sample_value
    assert value("consilium_worker_jobs_total", {"kind": "study-settle", "outcome": "done"}) == 2
    assert value("consilium_worker_jobs_total", {"kind": "delivery-send", "outcome": "postponed"}) == 1
    assert value("consilium_worker_job_seconds_sum", {"kind": "study-settle"}) == 0.5
    assert (
        other.registry.get_sample_value("consilium_worker_jobs_total", {"kind": "study-settle", "outcome": "done"})
        is None
    )
