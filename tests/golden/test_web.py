"""What the FHIR endpoint says of itself and of what it refuses, whole."""

import json
from pathlib import Path

import pytest

from fhir_mappings.validation import check_resource
from gateway.domain.errors import Transient
from gateway.store.engine import Database
from tests.unit.gateway.web.support import World, bundle, order, patient, posted

FOLDER = Path(__file__).parent / "web"


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def is_golden(name: str, text: str) -> bool:
    golden = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    # The fhir.resources classes take the alternatives of `format` for a list of codes; it is any MIME type in R4.
    check_resource({**golden, "format": ["json"]} if "format" in golden else golden, (golden["resourceType"],))
    assert json.loads(text) == golden
    return True


def test_the_capability_statement(world: World) -> None:
    assert is_golden("capability_statement.json", world.http.get("/fhir/metadata").text)


def test_outcomes_of_refusals(world: World) -> None:
    assert is_golden("invalid.json", world.ask("POST", "/Patient", patient(gender="f")).text)
    missing = bundle(posted(patient()), posted(order("Patient/nobody")))
    assert is_golden("unprocessable.json", world.ask("POST", "", missing).text)
    assert is_golden("unauthenticated.json", world.http.get("/fhir/Patient/x").text)
    assert is_golden("not_found.json", world.ask("GET", "/Patient/x").text)
    assert is_golden("method_not_allowed.json", world.ask("DELETE", "/Patient/x").text)
    world.effects.refusals["Patient"] = Transient("the database is busy")
    assert is_golden("transient.json", world.ask("POST", "/Patient", patient()).text)
