"""The figures of the whole gateway as Prometheus metrics. Labels name endpoints, kinds and states, never a patient.

Names and units: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.disk_figures import DiskFigures
from gateway.domain.errors import GatewayError
from gateway.domain.work import QUEUES, JobKind
from gateway.store.figures import Backlog, Census, backlog, census, destinations
from gateway.web.edge import Edge

_Values = Mapping[tuple[str], float] | Mapping[tuple[str, str], float] | float


def metric_families(edge: Edge) -> Iterator[Metric]:
    """Everything that /metrics shows, as it is now; while the database is away, what can be told without it."""
    yield _gauge("build_info", "The version that runs; always 1.", ("version",), {(edge.version,): 1})
    yield from DiskFigures(edge.surroundings.data_folder, edge.surroundings.reserve_bytes).collect()
    now = edge.now()
    try:
        with edge.database.read() as connection:
            waiting, whole, names = backlog(connection, now), census(connection), destinations(connection)
    except GatewayError:
        yield _database_up(0)
        return
    yield _database_up(1)
    yield from _outbox(waiting, now)
    yield from _destinations(waiting, names, now)
    yield from _audit(waiting, now)
    yield from _census(whole)


def _database_up(value: int) -> Metric:
    return _gauge("database_up", "1 while the database answers; without it the figures from it are missing.", (), value)


def _outbox(waiting: Backlog, now: datetime) -> Iterator[Metric]:
    jobs: dict[tuple[str, str], float] = {}
    for rows in waiting.unsettled:
        place = (QUEUES[rows.kind], rows.state)
        jobs[place] = jobs.get(place, 0) + rows.count
    yield _gauge("outbox_jobs", "Jobs that are not done.", ("queue", "state"), jobs)
    overdue = {(queue,): 0.0 for queue in sorted(set(QUEUES.values()))}
    for kind, since in waiting.overdue_since(now).items():
        overdue[QUEUES[kind],] = max(overdue[QUEUES[kind],], _seconds(since, now))
    sentence = "How long the oldest due job has waited for a worker; jobs for a destination that fails are left out."
    yield _gauge("outbox_overdue_seconds", sentence, ("queue",), overdue)
    at_work = {(queue,): float(number) for queue, number in waiting.at_work().items()}
    sentence = "Workers that serve the queue now; one that waits for the broker does not."
    yield _gauge("workers", sentence, ("queue",), at_work)
    yield _gauge("outbox_orphaned_jobs", "Jobs whose worker died and which nobody has taken over.", (), waiting.orphans)
    stopped = {(kind.value,): float(waiting.stopped.get(kind, 0)) for kind in JobKind}
    yield _gauge("jobs_stopped", "Jobs that gave up and wait for a person; failed deliveries not.", ("kind",), stopped)


def _destinations(waiting: Backlog, names: Mapping[str, str], now: datetime) -> Iterator[Metric]:
    """Of every endpoint, so that a graph does not break off when nothing waits."""
    label = ("destination",)
    count, oldest, attempts = ({(name,): 0.0 for name in names.values()} for _ in range(3))
    for rows in waiting.unsettled:
        if rows.endpoint_id is None or rows.state == "dead":
            continue
        place = (names.get(rows.endpoint_id, rows.endpoint_id),)
        count[place] = count.get(place, 0) + rows.count
        oldest[place] = max(oldest.get(place, 0), _seconds(rows.since, now))
        attempts[place] = attempts.get(place, 0) + rows.attempts
    yield _gauge("destination_waiting_deliveries", "Deliveries that are still to be sent there.", label, count)
    yield _gauge("destination_oldest_waiting_seconds", "How long the oldest of them has waited.", label, oldest)
    yield _gauge("destination_waiting_attempts", "Attempts made so far at those that wait.", label, attempts)
    closed = {(name,): 0.0 for name in names.values()}
    states = {(names.get(each, each),): float(found.state(now)) for each, found in waiting.breakers.items()}
    sentence = "0: it is sent to; 1: one delivery looks whether it is back; 2: it is left alone."
    yield _gauge("destination_breaker_state", sentence, label, closed | states)


def _audit(waiting: Backlog, now: datetime) -> Iterator[Metric]:
    since = waiting.unsealed_since
    yield _gauge("audit_unsealed_rows", "Audit rows that are not in the chain yet.", (), waiting.unsealed)
    age = _seconds(since, now) if since else 0
    yield _gauge("audit_unsealed_seconds", "How long the oldest of them has waited for the sealer.", (), age)


def _census(whole: Census) -> Iterator[Metric]:
    yield _gauge("deliveries", "Deliveries by kind and state.", ("kind", "state"), whole.deliveries)
    sentence = "Consent decisions by flow and outcome."
    yield _counter("decisions", sentence, ("flow", "outcome"), whole.decisions)
    open_entries = {(kind,): count for kind, count in whole.quarantine.items()}
    yield _gauge("quarantine_open", "Entries of the quarantine that wait for a person.", ("kind",), open_entries)
    yield _gauge("studies_unmatched", "Studies that wait for their order.", (), whole.unmatched_studies)
    yield _counter("instances_received", "The number of the newest instance.", (), whole.instances)


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _gauge(name: str, sentence: str, labels: tuple[str, ...], values: _Values) -> Metric:
    return _filled(GaugeMetricFamily(f"consilium_{name}", sentence, labels=labels), values)


def _counter(name: str, sentence: str, labels: tuple[str, ...], values: _Values) -> Metric:
    return _filled(CounterMetricFamily(f"consilium_{name}", sentence, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: _Values) -> Metric:
    """With one value, or one for each combination of labels."""
    if not isinstance(values, Mapping):
        family.add_metric((), values)
        return family
    for at, value in values.items():
        family.add_metric(at, value)
    return family
