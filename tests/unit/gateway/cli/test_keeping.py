"""`consilium case close|reopen|hold|unhold|destroyed`, over a real database in a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.destruction import Thing
from gateway.store import audit, destructions
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.unit.gateway.cli.test_commands import run, shown
from tests.unit.gateway.services.scenery import Scenery


@pytest.fixture
def scenery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenery]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    yield Scenery(database, tmp_path)
    database.dispose()


def test_a_case_with_something_undelivered_is_not_closed_and_says_what(scenery: Scenery) -> None:
    delivery = scenery.report()
    refused = run("case", "close", scenery.case.id, "--reason", "done", exit_code=1).stderr
    assert f"case {scenery.case.id} is not finished: report-to-ehr {delivery.id} is pending" in refused


def test_a_legal_hold_is_told_until_it_ends(scenery: Scenery) -> None:
    case_id = scenery.case.id
    run("case", "hold", case_id, "--reason", "a court asks")
    assert "legal hold  a court asks" in run("case", "show", case_id).stdout
    assert "is held already" in run("case", "hold", case_id, "--reason", "again", exit_code=1).stderr
    run("case", "unhold", case_id)
    assert shown("case", "show", case_id)["legal_hold"] is None
    assert "is not held" in run("case", "unhold", case_id, exit_code=1).stderr
    with scenery.core.database.read() as connection:
        rows = audit.of_case(connection, case_id, actions=["case.hold", "case.unhold"])
    assert [row.details.get("reason") for row in rows] == ["a court asks", None]
    assert all(row.actor.startswith("cli:") for row in rows)


def test_what_was_destroyed_is_listed(scenery: Scenery) -> None:
    assert shown("case", "destroyed") == []
    thing = Thing("image", "1", "a" * 64, 512)
    with scenery.core.database.write("test") as connection:
        destructions.record(connection, scenery.case.id, [thing], reason="the rule", now=scenery.clock())
    [line] = shown("case", "destroyed", "--case", scenery.case.id)
    assert (line["kind"], line["subject_id"], line["sha256"], line["size_bytes"]) == ("image", "1", "a" * 64, 512)
    assert (line["case_id"], line["reason"]) == (scenery.case.id, "the rule")
    assert "the rule" in run("case", "destroyed").stdout
    assert "no case nobody" in run("case", "destroyed", "--case", "nobody", exit_code=1).stderr
