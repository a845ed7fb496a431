"""What /metrics shows of the database, that it shows it without a patient in it, and that it does not ask too often."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from gateway.domain.breaker import Breaker
from gateway.domain.delivery import DeliveryState
from gateway.domain.work import QUEUES, JobKind, JobState
from gateway.process import with_trace
from gateway.services import egress
from gateway.store import audit, audit_chain, breakers, deliveries, outbox, studies, tables
from gateway.store.engine import Database
from gateway.store.studies import Place
from gateway.web.application import create_application
from gateway.web.metric_families import metric_families
from gateway.web.metrics import GatewayCollector
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery
from tests.unit.gateway.web.support import PROXY, SCRAPER, World

Samples = dict[tuple[str, ...], float]


def scraped(world: World) -> Samples:
    """(name, label values in the order of their names) -> value, of an application that has been asked nothing yet."""
    answer = create_application(world.edge).test_client().get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name.removeprefix("consilium_"), *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def world_of(scenery: Scenery, tmp_path: Path) -> World:
    """The same database behind an HTTP edge, with the same clock."""
    world = World(scenery.core.database, tmp_path)
    world.edge = replace(world.edge, now=scenery.clock)
    return world


def test_jobs_by_queue_and_how_long_they_have_been_due(database: Database, tmp_path: Path) -> None:
    scenery = Scenery(database, tmp_path)
    world = world_of(scenery, tmp_path)
    scenery.claimed(JobKind.REPORT_RENDER, "report")
    scenery.stop(JobKind.STUDY_RELEASE, "study")
    with database.write("test") as connection:
        outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=scenery.clock())
    scenery.clock.forward(seconds=90)
    found = scraped(world)
    assert found["outbox_jobs", "match", "pending"] == 1
    assert found["outbox_jobs", "render", "claimed"] == 1
    assert found["outbox_jobs", "deidentify", "dead"] == 1
    assert found["outbox_overdue_seconds", "match"] == 90
    assert found["outbox_overdue_seconds", "deliver"] == 0
    assert found["jobs_stopped", "study-release"] == 1
    assert found["jobs_stopped", "study-settle"] == 0
    assert found["outbox_orphaned_jobs",] == 0
    scenery.clock.forward(seconds=60)
    assert scraped(world)["outbox_orphaned_jobs",] == 1


def test_a_dead_sending_counts_while_its_delivery_waits_for_a_person(database: Database, tmp_path: Path) -> None:
    """Rows of tries that gave up stay in the outbox after somebody has set the delivery going again."""
    scenery = Scenery(database, tmp_path)
    world, sent = world_of(scenery, tmp_path), scenery.report()
    with database.write("test") as connection:
        egress.enqueue_next(connection, sent, now=scenery.clock())
        gave_up = {"state": JobState.DEAD, "settled_at": scenery.clock()}
        connection.execute(update(tables.outbox).values(gave_up))
        deliveries.change(connection, sent.id, now=scenery.clock(), state=DeliveryState.FAILED)
    assert scraped(world)["outbox_jobs", "deliver", "dead"] == 1
    with database.write("test") as connection:
        deliveries.change(connection, sent.id, now=scenery.clock(), state=DeliveryState.DELIVERED)
    assert ("outbox_jobs", "deliver", "dead") not in scraped(world)
    with database.write("test") as connection:
        deliveries.change(connection, sent.id, now=scenery.clock(), state=DeliveryState.FAILED)
        egress.enqueue_next(connection, sent, now=scenery.clock())
    assert ("outbox_jobs", "deliver", "dead") not in scraped(world)


def test_workers_by_queue(world: World) -> None:
    found = scraped(world)
    assert {found["workers", queue] for queue in QUEUES.values()} == {1}
    world.worker_shows("403 refused")
    assert scraped(world)["workers", "match"] == 0
    world.worker_shows(queues=["match"])
    assert (scraped(world)["workers", "match"], scraped(world)["workers", "deliver"]) == (1, 0)
    world.clock.forward(minutes=1)
    assert scraped(world)["workers", "match"] == 0


def test_what_waits_for_a_destination_that_fails_is_not_overdue(database: Database, tmp_path: Path) -> None:
    scenery = Scenery(database, tmp_path)
    world, sent = world_of(scenery, tmp_path), scenery.report()
    now = scenery.clock()
    with database.write("test") as connection:
        egress.enqueue_next(connection, sent, now=now)
        breakers.keep(connection, "ankara-ehr", Breaker(3, now, now + timedelta(seconds=30)))
        connection.execute(update(tables.outbox).values(attempts=3))
    scenery.clock.forward(seconds=10)
    found = scraped(world)
    assert found["destination_breaker_state", "ankara-ehr"] == 2
    assert found["destination_breaker_state", "ankara-pacs"] == 0
    assert found["destination_waiting_deliveries", "ankara-ehr"] == 1
    assert found["destination_oldest_waiting_seconds", "ankara-ehr"] == 10
    assert found["destination_waiting_attempts", "ankara-ehr"] == 3
    assert found["outbox_overdue_seconds", "deliver"] == 0
    scenery.clock.forward(seconds=20)
    assert scraped(world)["destination_breaker_state", "ankara-ehr"] == 1


def test_what_waits_for_its_turn_grows_old_all_the_same(database: Database, tmp_path: Path) -> None:
    scenery = Scenery(database, tmp_path)
    world, sent = world_of(scenery, tmp_path), scenery.report()
    with database.write("test") as connection:
        egress.enqueue_next(connection, sent, now=scenery.clock())
    job = scenery.claimed(JobKind.DELIVERY_SEND, sent.id)
    scenery.clock.forward(hours=2)
    with database.write("test") as connection:
        again = scenery.clock() + timedelta(minutes=1)
        outbox.postpone(connection, job, next_try_at=again, error="NotYet: contradicting", since=scenery.clock())
    assert scraped(world)["destination_oldest_waiting_seconds", "ankara-ehr"] == 7200


def test_what_there_is_in_all(database: Database, tmp_path: Path) -> None:
    scenery = Scenery(database, tmp_path)
    world, images = world_of(scenery, tmp_path), scenery.images("1.2.3")
    assert egress.grant(scenery.core, images.id) is None
    scenery.consent(DISCLOSE)
    assert egress.grant(scenery.core, images.id) is not None
    with database.write("test") as connection:
        deliveries.change(connection, images.id, now=scenery.clock(), state=DeliveryState.AMBIGUOUS)
        connection.execute(update(tables.study).values(state="unmatched"))
        place = Place(scenery.case.id, images.subject_id, None)
        studies.put_in_quarantine(connection, "identity", "differs", place, details={}, now=scenery.clock())
        audit_chain.seal(connection, now=scenery.clock())
        audit.record(connection, at=scenery.clock(), actor="test", action="test")
    scenery.clock.forward(minutes=2)
    found = scraped(world)
    assert found["deliveries", "study-to-reviewer", "ambiguous"] == 1
    assert found["decisions_total", "disclose-to-reviewer", "deny"] >= 1
    assert found["decisions_total", "disclose-to-reviewer", "permit"] >= 1
    assert found["quarantine_open", "identity"] == 1
    assert found["studies_unmatched",] == 1
    assert found["instances_received_total",] == 0
    assert (found["audit_unsealed_rows",], found["audit_unsealed_seconds",]) == (1, 120)
    assert found["database_up",] == 1
    assert found["build_info", "1.2.3"] == 1
    assert found["disk_free_bytes", "data"] > found["disk_reserve_bytes", "data"] == 0


def test_no_patient_is_in_it(database: Database, tmp_path: Path) -> None:
    scenery = Scenery(database, tmp_path)
    scenery.images("1.2.3")
    text = world_of(scenery, tmp_path).http.get("/metrics").text
    assert "consilium_deliveries" in text
    assert not [word for word in ("Öztürk", "Ayşe", "4711", "1.2.3.4", "CS-1", scenery.case.id) if word in text]


def test_without_the_database_it_tells_what_it_can(world: World, tmp_path: Path) -> None:
    unreachable = Database(f"sqlite:///{tmp_path}")  # a folder
    world.edge = replace(world.edge, database=unreachable)
    found = scraped(world)
    assert found["database_up",] == 0
    assert found["disk_free_bytes", "data"] > 0
    assert ("studies_unmatched",) not in found
    unreachable.dispose()


def test_who_asks_again_at_once_costs_nothing(world: World) -> None:
    looks: list[None] = []

    def look() -> Iterator[Metric]:
        looks.append(None)
        return metric_families(world.edge)

    collector, registry = GatewayCollector(look, kept_s=60), CollectorRegistry()
    registry.register(collector)
    assert looks == []
    assert [next(family.name for family in collector.collect()) for _ in range(3)] == ["consilium_build_info"] * 3
    assert len(looks) == 1


def test_each_request_is_part_of_a_trace_of_the_callers_where_it_names_one(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(processors=[with_trace, structlog.processors.JSONRenderer()])
    caller = "4bf92f3577b34da6a3ce929d0e0e4736"
    try:
        for header in (f"00-{caller}-00f067aa0ba902b7-01", "Ayşe"):
            world.http.get("/healthz", headers={"traceparent": header})
    finally:
        structlog.reset_defaults()
    first, second = [json.loads(line)["trace"] for line in capsys.readouterr().out.splitlines()]
    assert first == caller
    assert re.fullmatch("[0-9a-f]{32}", second)
    assert second != caller


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        (SCRAPER, "", 200),
        (SCRAPER, "203.0.113.9", 200),
        ("203.0.113.9", "", 404),
        ("203.0.113.9", SCRAPER, 404),
        (PROXY, SCRAPER, 200),
        (PROXY, f"{SCRAPER}, 203.0.113.9", 404),
        (PROXY, "", 404),
    ],
    ids=["reader", "header of a reader", "stranger", "forged", "by proxy", "forged by proxy", "proxy itself"],
)
def test_figures_are_shown_to_those_who_may_read_them(world: World, peer: str, forwarded: str, status: int) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = world.http.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status
    assert ("consilium_" in answer.text) == (status == 200)
