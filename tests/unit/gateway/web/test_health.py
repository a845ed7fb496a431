from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import text, update
from werkzeug.test import TestResponse

from gateway.domain.work import QUEUES, JobKind
from gateway.store import audit, outbox, tables
from gateway.store.engine import Database
from gateway.store.readiness import newest_revision
from gateway.web.application import create_application
from tests.unit.gateway.web.support import KINDS, Disk, World


def test_alive_and_ready(world: World) -> None:
    assert world.http.get("/healthz").get_json() == {"status": "alive"}
    assert world.http.get("/readyz").get_json() == {"status": "ready"}


def test_a_schema_that_is_behind_is_named(world: World) -> None:
    with world.database.write("test.schema") as connection:
        connection.execute(text("DROP TABLE access_token"))
        connection.execute(text("ALTER TABLE delivery DROP COLUMN last_error"))
    answered = world.http.get("/readyz")
    assert answered.status_code == 503
    (problem,) = answered.get_json()["problems"]["database"]
    assert "access_token, delivery.last_error" in problem
    assert "consilium db upgrade" in problem
    assert world.http.get("/healthz").status_code == 200


def at_revision(world: World, number: str) -> TestResponse:
    with world.database.write("test.schema") as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})
    return world.http.get("/readyz")


def test_a_revision_that_has_not_been_run_is_named(world: World) -> None:
    answered = at_revision(world, "0000")
    assert answered.status_code == 503
    ((name, (problem,)),) = answered.get_json()["problems"].items()
    assert name == "database"
    assert "revision 0000" in problem
    assert f"needs {newest_revision()}: run consilium db upgrade" in problem


def test_a_process_stays_ready_while_the_next_version_has_upgraded_the_database(world: World) -> None:
    assert at_revision(world, "9999").get_json() == {"status": "ready"}


def test_what_else_is_wrong_is_named(world: World, tmp_path: Path) -> None:
    unreachable = Database(f"sqlite:///{tmp_path}")  # a folder
    application = create_application(replace(world.edge, database=unreachable, blobs=Disk(-1)))
    problems = application.test_client().get("/readyz").get_json()["problems"]
    assert problems["storage"] == ["no room"]
    assert len(problems["database"]) == 1
    unreachable.dispose()


def test_who_cannot_work_says_when_to_come_back(world: World) -> None:
    answered = create_application(replace(world.edge, blobs=Disk(-1))).test_client().get("/readyz")
    assert (answered.status_code, int(answered.headers["Retry-After"]) > 0) == (503, True)
    assert "Retry-After" not in world.http.get("/readyz").headers


def around(world: World, **changes: Any) -> TestResponse:
    """What /readyz says in other surroundings."""
    edge = replace(world.edge, surroundings=replace(world.edge.surroundings, **changes))
    return create_application(edge).test_client().get("/readyz")


def test_a_disk_below_the_reserve_is_a_problem(world: World) -> None:
    answered = around(world, reserve_bytes=1 << 62)
    assert answered.status_code == 503
    assert "storage.min_free_bytes" in answered.get_json()["problems"]["disk"][0]


def test_a_key_of_another_installation_is_a_problem(world: World) -> None:
    answered = around(world, key_problem=lambda: "replace the key")
    assert (answered.status_code, answered.get_json()["problems"]) == (503, {"key": ["replace the key"]})


def test_a_broker_that_is_away_is_a_warning(world: World) -> None:
    answered = around(world, broker=("nowhere.invalid", 5672))
    assert (answered.status_code, answered.get_json()["status"]) == (200, "ready")
    [sentence] = answered.get_json()["warnings"]["broker"]
    assert "nowhere.invalid has no address" in sentence
    assert "Work waits in the outbox" in sentence


def test_work_that_nobody_does_is_a_warning_for_each_queue(world: World) -> None:
    with world.database.write("test") as connection:
        for kind in (JobKind.STUDY_SETTLE, JobKind.REPORT_RENDER):
            outbox.enqueue(connection, kind, "subject", case_id=None, now=world.clock())
        audit.record(connection, at=world.clock(), actor="test", action="test")
    assert world.http.get("/readyz").get_json() == {"status": "ready"}
    world.clock.forward(minutes=11)
    answered = world.http.get("/readyz")
    assert (answered.status_code, answered.get_json()["status"]) == (200, "ready")
    warnings = answered.get_json()["warnings"]
    assert len(warnings["outbox"]) == 2
    assert "study-settle of the queue match has waited 11 minutes" in " ".join(warnings["outbox"])
    assert "audit rows have waited 11 minutes" in warnings["workers"][0]


def test_a_worker_that_died_and_has_no_successor_is_a_warning(world: World) -> None:
    policy = world.core.destinations
    with world.database.write("test") as connection:
        job_id = outbox.enqueue(connection, JobKind.STUDY_SETTLE, "study", case_id=None, now=world.clock())
        taken = outbox.claim(connection, job_id, owner="dead", now=world.clock(), lease_s=60, policy=policy)
    assert taken is not None
    world.clock.forward(seconds=119)
    world.worker_shows()
    assert world.http.get("/readyz").get_json() == {"status": "ready"}
    world.clock.forward(seconds=1)
    [sentence] = world.http.get("/readyz").get_json()["warnings"]["workers"]
    assert "1 jobs were left by a worker that died" in sentence


def test_queues_without_a_worker_are_a_warning_within_a_minute(world: World) -> None:
    world.clock.forward(seconds=30)
    assert world.http.get("/readyz").get_json() == {"status": "ready"}
    world.clock.forward(seconds=30)
    answered = world.http.get("/readyz")
    assert (answered.status_code, answered.get_json()["status"]) == (200, "ready")
    assert len(answered.get_json()["warnings"]["workers"]) == len(set(QUEUES.values()))
    world.worker_shows(queues=set(QUEUES.values()) - {"render"})
    [sentence] = world.http.get("/readyz").get_json()["warnings"]["workers"]
    assert sentence.startswith("no worker does the queue render: run consilium worker")


def test_a_worker_that_its_broker_does_not_let_in_is_a_warning_with_the_reason(world: World) -> None:
    world.worker_shows("403 ACCESS_REFUSED - Login was refused")
    answered = world.http.get("/readyz")
    assert answered.status_code == 200
    ((name, [sentence]),) = answered.get_json()["warnings"].items()
    assert name == "broker"
    assert "a worker on machine waits for the broker: 403 ACCESS_REFUSED" in sentence


def test_clinics_that_are_held_back_are_counted_and_not_named(world: World) -> None:
    clinics = tables.party.c.kind == "clinic"
    with world.database.write("test.restore") as connection:
        connection.execute(update(tables.party).where(clinics).values(restored_at=world.clock()))
    answered = world.http.get("/readyz")
    (warning,) = answered.get_json()["warnings"]["restored"]
    assert warning.startswith("nothing leaves for cases of 2 clinics since a restore")
    assert "consilium doctor" in warning
    assert not [name for name in KINDS if name in answered.text.replace("2 clinics", "")]
