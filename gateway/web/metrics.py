"""`/metrics`: the whole gateway in Prometheus' text format, asked of the database and not of this process.

Several processes answer requests; what one of them has counted would be a part only. The DICOM nodes and the workers
show what they alone know on ports of their own.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, abort
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gateway.web.edge import Edge
from gateway.web.metric_families import metric_families
from gateway.web.peer import is_caller_in

KEPT_S = 5.0
"""How long an answer is good at least."""

_SHARE = 20
"""It is kept this many times as long as it took: of a large database, too, no more than a twentieth of a processor."""


class GatewayCollector(Collector):
    """Gives what was looked up last for a while; whoever asks meanwhile costs the database nothing."""

    def __init__(self, look: Callable[[], Iterable[Metric]], *, kept_s: float = KEPT_S) -> None:
        self._look = look
        self._kept_s = kept_s
        self._kept: Sequence[Metric] = ()
        self._good_until = 0.0
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """The families of `metric_families`."""
        with self._lock:
            began_at = time.monotonic()
            if began_at >= self._good_until:
                self._kept = tuple(self._look())
                ended_at = time.monotonic()
                self._good_until = ended_at + max(self._kept_s, _SHARE * (ended_at - began_at))
            return self._kept

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered is no reason to ask the database."""
        return ()


def blueprint(edge: Edge) -> Blueprint:
    """`/metrics`."""
    registry = CollectorRegistry()
    registry.register(GatewayCollector(partial(metric_families, edge)))
    routes = Blueprint("metrics", __name__)
    routes.add_url_rule("/metrics", "metrics", partial(_scraped, edge, registry))
    return routes


def _scraped(edge: Edge, registry: CollectorRegistry) -> Response:
    """404 to whoever is none of `web.metrics_addresses`: the labels name destinations."""
    if not is_caller_in(edge, edge.admission.metrics_readers):
        abort(HTTPStatus.NOT_FOUND)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
