"""`consilium backup`: made, verified and restored by command, and refused with a sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import load_settings
from gateway.cli.checks import checked
from gateway.store.engine import Database
from gateway.store.keys import key_or_new
from gateway.store.keys import shown as shown_key
from gateway.store.schema import upgrade
from tests.unit.gateway.cli.test_commands import CLINIC, PACS, run, shown


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A gateway with a clinic; `_elsewhere` begins another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    database = Database(f"sqlite:///{tmp_path}/data/consilium.db")
    upgrade(database)
    run(*CLINIC, *PACS)
    yield tmp_path / "data"
    database.dispose()


def _elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(folder))


def test_a_gateway_goes_into_a_folder_and_comes_out_of_it(
    gateway: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shown("backup", "create", "backups")
    assert (Path(made["backup"]).parent, made["blobs"], made["copied"]) == (tmp_path / "backups", 0, 0)
    assert shown("backup", "verify", "backups")["rows"] == made["rows"] > 0
    clinics = shown("clinic", "list")

    _elsewhere(monkeypatch, tmp_path / "other")
    assert shown("backup", "restore", "backups")["backup"] == made["backup"]
    assert "no clinic or reviewer named 'izmir'" in run("backup", "resume", "izmir", exit_code=1).stderr
    assert run("backup", "resume", "ankara").stdout == "ankara: what waits leaves again\n"
    assert shown("clinic", "list") == clinics
    assert "nothing is held back since a restore" in run("backup", "resume", "--all", exit_code=1).stderr
    assert run("audit", "verify").stdout.startswith("the chain is whole")
    assert (tmp_path / "other/keys/pseudonym.key").read_bytes() == (gateway / "keys/pseudonym.key").read_bytes()
    assert "not empty" in run("backup", "restore", "backups", exit_code=1).stderr


def test_a_backup_says_whether_its_key_is_that_of_the_machine(
    gateway: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", "create", "backups")
    fingerprint = shown_key((gateway / "keys/pseudonym.key").read_bytes())
    assert shown("backup", "verify", "backups")["key"] == f"fingerprint {fingerprint}, that of this machine"
    _elsewhere(monkeypatch, tmp_path / "other")
    assert "this machine has none at" in shown("backup", "verify", "backups")["key"]
    key_or_new(tmp_path / "other/keys/pseudonym.key")
    assert "NOT that of this machine" in shown("backup", "verify", "backups")["key"]
    assert "holds another key" in run("backup", "restore", "backups", exit_code=1).stderr


def test_a_restored_gateway_says_what_it_waits_for(
    gateway: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", "create", "backups")
    _elsewhere(monkeypatch, tmp_path / "other")
    run("backup", "restore", "backups")
    [step] = [one for one in checked(load_settings()) if one.name == "restored"]
    assert not step.is_ok
    assert "consilium backup resume ankara" in step.remedy
    run("backup", "resume", "--all")
    assert [one.is_ok for one in checked(load_settings()) if one.name == "restored"] == [True]
    assert "name the clinics, or say --all" in run("backup", "resume", exit_code=2).stderr


def test_a_damaged_backup_is_refused_with_a_sentence(gateway: Path, tmp_path: Path) -> None:
    folder = Path(shown("backup", "create", "backups")["backup"])
    (folder / "tables" / "party.jsonl.gz").unlink()
    assert "party.jsonl.gz is missing" in run("backup", "verify", str(folder), exit_code=1).stderr
    assert "no finished backup" in run("backup", "verify", str(gateway), exit_code=1).stderr


def test_the_help_says_that_the_key_is_in_it() -> None:
    assert "pseudonym key" in run("backup", "create", "--help").stdout
