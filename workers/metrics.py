"""What one worker has done since its start, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.disk_figures import DiskFigures
from gateway.domain.work import JobKind
from gateway.services.work import JobOutcome

_JOB_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class WorkerMetrics:
    """Each worker has a registry of its own; `ended` is a `gateway.services.work.Watcher`."""

    def __init__(self, disk: DiskFigures) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(disk)
        self._jobs = Counter(
            "consilium_worker_jobs", "Attempts at jobs by how they ended.", ["kind", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "consilium_worker_job_seconds",
            "How long an attempt took.",
            ["kind"],
            buckets=_JOB_S,
            registry=self.registry,
        )

    def ended(self, kind: JobKind, outcome: JobOutcome, seconds: float) -> None:
        """One attempt at a job of that kind."""
        self._jobs.labels(kind, outcome).inc()
        self._seconds.labels(kind).observe(seconds)
