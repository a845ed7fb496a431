"""Anchors are written by the clock and by command, once for each state of the chain, and compared by `audit verify`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete

from gateway.cli import main
from gateway.domain.audit_proof import Anchor
from gateway.domain.errors import Invalid
from gateway.domain.work import JobKind
from gateway.services.anchoring import anchor
from gateway.services.recurring import begin_recurring
from gateway.store import audit, audit_chain, tables
from gateway.store.anchors import read_anchors, write_anchor
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.integration.store.stage import Stage
from tests.tampering import tampering

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIRST = Anchor(3, 7, "a" * 64, NOW)


def _sealed(database: Database, count: int) -> None:
    with database.write("test") as connection:
        for _ in range(count):
            audit.record(connection, at=NOW, actor="w", action="case.show")
        audit_chain.seal(connection, now=NOW)


def test_an_anchor_is_read_as_it_was_written_and_never_written_anew(tmp_path: Path) -> None:
    file = write_anchor(tmp_path / "anchors", FIRST)
    assert file.name == "000000000003.json"
    write_anchor(tmp_path / "anchors", Anchor(3, 7, "b" * 64, NOW + timedelta(days=1)))
    write_anchor(tmp_path / "anchors" / "other-machine", Anchor(4, 9, "c" * 64, NOW))
    assert {(one.position, one.sha256[0]) for one in read_anchors(tmp_path)} == {(3, "a"), (4, "c")}
    assert read_anchors(file.parent)[0] == FIRST


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": 1}',
        '{"format": 2, "position": 1, "audit_id": 1, "sha256": "", "at": "2026-03-02T09:00:00+00:00"}',
        '{"format": 1, "position": 1, "audit_id": 1, "sha256": "", "at": "2026-03-02T09:00:00"}',
        '{"format": 1, "position": 2, "audit_id": 1, "sha256": "", "at": "2026-03-02T09:00:00+00:00"}',
    ],
    ids=["empty", "list", "incomplete", "format", "naive", "renamed"],
)
def test_a_damaged_anchor_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "000000000001.json").write_text(content, encoding="utf-8")
    with pytest.raises(Invalid, match=r"000000000001\.json"):
        read_anchors(tmp_path)


def test_a_folder_without_anchors_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no anchor"):
        read_anchors(tmp_path)


def test_the_recurring_job_writes_what_the_chain_is(stage: Stage) -> None:
    begin_recurring(stage.core)
    stage.work()
    assert not stage.anchors.exists()
    _sealed(stage.core.database, 2)
    stage.ahead += timedelta(hours=1, seconds=1)
    stage.work()
    [made] = read_anchors(stage.anchors)
    with stage.core.database.read() as connection:
        head = audit_chain.head(connection, now=made.at)
        waiting = tables.outbox.c.kind == JobKind.AUDIT_ANCHOR
        rows = connection.execute(tables.outbox.select().where(waiting, tables.outbox.c.state == "pending")).all()
    assert made == head
    assert anchor(stage.core, stage.anchors) is not None
    assert len(read_anchors(stage.anchors)) == 1
    assert len(rows) == 1


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A gateway with three sealed rows, whose anchors go to a folder that is not there yet."""
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONSILIUM_AUDIT__ANCHOR_FOLDER", str(tmp_path / "kept elsewhere"))
    database = Database(f"sqlite:///{tmp_path / 'data' / 'consilium.db'}")
    upgrade(database)
    _sealed(database, 3)
    yield database
    database.dispose()


def _run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["audit", *arguments])
    assert result.exit_code == exit_code, result.output
    return result


def test_an_end_that_was_cut_off_is_told_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    database = Database(f"sqlite:///{tmp_path / 'data' / 'consilium.db'}")
    upgrade(database)
    assert "nothing is sealed yet" in _run("anchor", exit_code=1).stderr
    _sealed(database, 3)
    assert json.loads(_run("anchor", "--json").stdout)["position"] == 3
    folder = str(tmp_path / "data" / "anchors")
    for arguments in ((), ("--anchors", folder)):
        assert "it agrees with 1 anchors" in _run("verify", *arguments).stdout
    _cut_off(database)
    for arguments in ((), ("--anchors", folder)):
        told = _run("verify", *arguments, exit_code=1).stdout
        assert f"compared with 1 anchors in {folder}" in told
        assert "audit row 3 (seal 3): the anchor of" in told
        assert "has 3 seals, and 2 are left" in told
    said = json.loads(_run("verify", "--json", exit_code=1).stdout)
    assert (said["broken_at"], said["anchors"], said["anchor_folder"]) == (3, 1, folder)
    database.dispose()


def _cut_off(database: Database) -> None:
    with tampering(database) as connection:
        connection.execute(delete(tables.audit_seal).where(tables.audit_seal.c.position == 3))
        connection.execute(delete(tables.audit).where(tables.audit.c.id == 3))


def test_the_configured_folder_is_compared_where_none_is_named(tmp_path: Path, data: Database) -> None:
    """One that has no anchor yet is said to have none; what is in it has to be readable."""
    folder = tmp_path / "kept elsewhere"
    for _ in range(2):
        told = _run("verify").stdout
        assert "the chain is whole: 3 rows sealed" in told
        assert f"there is no anchor in {folder} to compare with" in told
        said = json.loads(_run("verify", "--json").stdout)
        assert (said["broken_at"], said["anchors"], said["anchor_folder"]) == (None, 0, str(folder))
        folder.mkdir(exist_ok=True)
    _run("anchor")
    assert f"it agrees with 1 anchors in {folder}" in _run("verify").stdout
    (folder / "000000000002.json").write_text("{}", encoding="ascii")
    assert "the anchor 000000000002.json is damaged" in _run("verify", exit_code=1).stderr


def test_a_folder_of_anchors_that_cannot_be_looked_into_is_no_empty_one(tmp_path: Path, data: Database) -> None:
    (tmp_path / "kept elsewhere").write_text("no folder", encoding="ascii")
    assert "kept elsewhere cannot be used" in _run("verify", exit_code=1).stderr


def test_a_folder_that_is_named_has_anchors(tmp_path: Path, data: Database) -> None:
    assert "there is no anchor in" in _run("verify", "--anchors", str(tmp_path), exit_code=1).stderr
    assert "does not exist" in _run("verify", "--anchors", str(tmp_path / "none"), exit_code=2).stderr


def test_rows_that_were_lost_by_a_restore_are_told_until_their_anchors_are_put_away(
    tmp_path: Path, data: Database
) -> None:
    folder = tmp_path / "kept elsewhere"
    _run("anchor")
    _cut_off(data)
    _run("verify", exit_code=1)
    _sealed(data, 1)
    assert "rows up to it were written anew" in _run("verify", exit_code=1).stdout
    (folder / "000000000003.json").rename(tmp_path / "000000000003.json")
    _run("anchor")
    assert "it agrees with 1 anchors" in _run("verify").stdout
