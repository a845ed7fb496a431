from pathlib import Path

from sqlalchemy import text

from gateway.domain.errors import Permanent
from gateway.store.engine import Database
from gateway.web.application import create_application
from tests.unit.gateway.web.support import Clock, Disk, World


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


def test_what_else_is_wrong_is_named(tmp_path: Path) -> None:
    def no_migration() -> None:
        raise Permanent("migration 0002 is missing")

    unreachable = Database(f"sqlite:///{tmp_path}")  # a folder
    application = create_application(
        database=unreachable, blobs=Disk(-1), now=Clock(), effects={}, checks={"migrations": no_migration}
    )
    problems = application.test_client().get("/readyz").get_json()["problems"]
    assert problems["migrations"] == ["migration 0002 is missing"]
    assert problems["storage"] == ["no room"]
    assert len(problems["database"]) == 1
    unreachable.dispose()
