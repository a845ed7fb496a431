"""What was destroyed when its time was over is 410, for the one who had it; for others there never was anything."""

import pytest
from sqlalchemy import select

from gateway.store import forgetting
from gateway.store.tables import resource_version
from tests.unit.gateway.web.support import World, order, patient


@pytest.fixture
def gone(world: World) -> str:
    """The id of a Patient that was destroyed."""
    patient_id = str(world.ask("POST", "/Patient", patient()).get_json(force=True)["id"])
    with world.database.write("test") as connection:
        [thing] = forgetting.empty_resources(connection, {patient_id}, world.clock())
        assert connection.execute(select(resource_version.c.content)).scalars().all() == [b""]
    assert (thing.kind, thing.subject_id) == ("Patient", f"{patient_id}/_history/1")
    return patient_id


@pytest.mark.parametrize("path", ["", "/_history/1"])
def test_a_read_answers_410_with_an_outcome(world: World, gone: str, path: str) -> None:
    answer = world.ask("GET", f"/Patient/{gone}{path}")
    assert answer.status_code == 410
    [issue] = answer.get_json(force=True)["issue"]
    assert issue["code"] == "deleted"
    assert issue["diagnostics"] == f"the content of Patient/{gone} was destroyed on 2026-03-02"


def test_it_is_not_changed_not_found_and_not_referred_to(world: World, gone: str) -> None:
    assert world.ask("PUT", f"/Patient/{gone}", patient(id=gone)).status_code == 410
    assert world.ask("GET", f"/Patient?_id={gone}").get_json(force=True)["total"] == 0
    assert world.ask("POST", "/ServiceRequest", order(f"Patient/{gone}")).status_code == 422


def test_its_identifier_is_free_again(world: World, gone: str) -> None:
    again = world.ask("POST", "/Patient", patient())
    assert again.status_code == 201
    assert again.get_json(force=True)["id"] != gone


def test_others_learn_nothing_of_it(world: World, gone: str) -> None:
    assert world.ask("GET", f"/Patient/{gone}", by="other-clinic").status_code == 404
