"""What Prometheus is told about the disk of `data_dir`, by every program that keeps something there."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True)
class DiskFigures(Collector):
    """Looks anew whenever it is asked; nothing of the room is known where the folder cannot be looked at."""

    data_folder: Path
    reserve_bytes: int

    def collect(self) -> Iterator[Metric]:
        """Free bytes and the reserve, in bytes."""
        free = _gauge("free", "Free on the disk of data_dir.")
        with suppress(OSError):
            free.add_metric(("data",), shutil.disk_usage(self.data_folder).free)
        yield free
        reserve = _gauge("reserve", "Below so much free nothing more is accepted.")
        reserve.add_metric(("data",), self.reserve_bytes)
        yield reserve


def _gauge(what: str, sentence: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"consilium_disk_{what}_bytes", sentence, labels=("disk",))
