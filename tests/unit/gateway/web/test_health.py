from dataclasses import replace
from pathlib import Path

from sqlalchemy import text
from werkzeug.test import TestResponse

from gateway.store.engine import Database
from gateway.store.readiness import newest_revision
from gateway.web.application import create_application
from tests.unit.gateway.web.support import Disk, World


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
