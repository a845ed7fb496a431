"""What one node has counted since its start, for Prometheus; of nobody, and shared by nothing but its connections."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dicom_node.scp.negotiation import REJECTIONS
from dicom_node.status import STORE_ANSWERS
from gateway.disk_figures import DiskFigures

TOO_MANY_CONNECTIONS = "too many connections"
_STORE_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class NodeMetrics:
    """Each node has a registry of its own.

    What a rule watches is there with 0 from the start: `increase` sees no first sample.
    https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
    """

    def __init__(self, disk: DiskFigures) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(disk)
        self._open = Gauge("consilium_dicom_associations_open", "Associations at present.", registry=registry)
        self._accepted = Counter(
            "consilium_dicom_associations_accepted", "Associations that were accepted.", registry=registry
        )
        self._rejected = Counter(
            "consilium_dicom_associations_rejected", "Callers that were turned away.", ["reason"], registry=registry
        )
        self._answered = Counter(
            "consilium_dicom_objects", "C-STORE requests by the status they got.", ["status"], registry=registry
        )
        self._bytes = Counter("consilium_dicom_stored_bytes", "Bytes of the objects stored.", registry=registry)
        self._seconds = Histogram(
            "consilium_dicom_store_seconds",
            "From the C-STORE command to its answer.",
            buckets=_STORE_S,
            registry=registry,
        )
        for status in STORE_ANSWERS:
            self._answered.labels(_spelt(status))
        for reason in (TOO_MANY_CONNECTIONS, *(rejection.reason for rejection in REJECTIONS)):
            self._rejected.labels(reason)

    @contextmanager
    def association(self) -> Iterator[None]:
        """Around an association that was accepted."""
        self._accepted.inc()
        with self._open.track_inprogress():
            yield

    def rejected(self, reason: str) -> None:
        """An association, or a connection, was not wanted; `reason` is one of a few fixed sentences."""
        self._rejected.labels(reason).inc()

    def answered(self, status: int, seconds: float) -> None:
        """A C-STORE was answered with this status (PS3.4 B.2.3)."""
        self._answered.labels(_spelt(status)).inc()
        self._seconds.observe(seconds)

    def stored(self, size_bytes: int) -> None:
        """An object of that size is kept."""
        self._bytes.inc(size_bytes)


def _spelt(status: int) -> str:
    return f"0x{status:04X}"
