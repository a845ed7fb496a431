"""The commands over a real database in a temporary folder: what they print, what they refuse, how they end."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.cli.commands import COMMANDS
from gateway.domain import trace
from gateway.store import audit, audit_chain, parties, studies
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.tampering import tampering

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COMMON = ("--country", "TR", "--time-zone", "Europe/Istanbul")
CLINIC = ("clinic", "add", "ankara", "--identifier", "urn:oid:1.2.3|ANK", *COMMON)
PACS = ("--pacs", "ANKPACS@10.0.0.5:104")


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONSILIUM_STORAGE__MIN_FREE_BYTES", "0")
    yield tmp_path / "data"


@pytest.fixture
def stores(data_folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{data_folder}/consilium.db")
    upgrade(database)
    yield database
    database.dispose()


def run(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output
    return result


def shown(*arguments: str, exit_code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    assert f"Usage: main {name}" in run(name, "--help").stdout


@pytest.mark.usefixtures("stores")
def test_a_command_begins_a_trace_that_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    record = audit.record

    def recorded(*arguments: Any, **details: Any) -> None:
        seen.append(trace.current())
        record(*arguments, **details)

    monkeypatch.setattr(audit, "record", recorded)
    run(*CLINIC, *PACS)
    run("endpoint", "remove", "ankara-pacs")
    first, second = seen[0], seen[-1]
    assert len(first) == len(second) == 32
    assert first != second
    assert trace.current() == ""


@pytest.mark.usefixtures("stores")
@pytest.mark.parametrize("state", ["unmatched", "UNMATCHED"])
def test_studies_are_chosen_by_their_state_as_it_is_shown(state: str) -> None:
    assert shown("study", "list", "--state", state) == []


@pytest.mark.usefixtures("stores")
def test_deliveries_are_chosen_by_their_states_as_they_are_shown() -> None:
    assert shown("delivery", "list", "--state", "ambiguous", "--state", "failed") == []


@pytest.mark.usefixtures("stores")
def test_deliveries_to_one_endpoint_are_listed_and_tried_again_together() -> None:
    run(*CLINIC, *PACS)
    assert shown("delivery", "list", "--endpoint", "ankara-pacs") == []
    assert "no endpoint" in run("delivery", "list", "--endpoint", "nowhere", exit_code=1).stderr
    assert (
        "nothing to ankara-pacs has failed" in run("delivery", "retry", "--endpoint", "ankara-pacs", "--failed").stdout
    )
    for unclear in (["--failed"], ["--endpoint", "ankara-pacs"], ["x", "--endpoint", "ankara-pacs", "--failed"], []):
        assert "--endpoint NAME --failed" in run("delivery", "retry", *unclear, exit_code=2).stderr


def test_a_command_where_no_gateway_is_begins_none(data_folder: Path) -> None:
    assert "no gateway keeps its data in" in run("clinic", "list", exit_code=1).stderr
    assert not data_folder.exists()


def test_a_database_of_no_version_says_what_to_run(data_folder: Path) -> None:
    data_folder.mkdir()
    assert run("clinic", "list", exit_code=1).stderr == (
        "Error: the database is not of this version; run: consilium db upgrade\n"
    )
    run("db", "upgrade")
    assert run("clinic", "list").stdout == "none\n"


def test_unknown_settings_end_with_two(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_COLOUR", "1")
    assert "CONSILIUM_COLOUR" in run("clinic", "list", exit_code=2).stderr


def test_the_settings_file_is_the_one_named(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("colour = 1\n")
    assert "unknown setting colour" in run("--config", "other.toml", "clinic", "list", exit_code=2).stderr


def test_a_clinic_comes_with_its_endpoints(stores: Database) -> None:
    made = shown(*CLINIC, *PACS, "--tls", "--ehr", "http://127.0.0.1:9000/fhir/")
    assert [one["name"] for one in made["endpoints"]] == ["ankara-ehr", "ankara-pacs"]
    assert made["endpoints"][0]["fhir"]["base_url"] == "http://127.0.0.1:9000/fhir"
    pacs = {"ae_title": "ANKPACS", "host": "10.0.0.5", "port": 104, "is_tls": True, "ca_file": ""}
    assert made["endpoints"][1]["dicom"] == pacs
    assert shown("clinic", "show", "ankara") == made
    assert shown("clinic", "list") == [made]
    assert "ANKPACS@10.0.0.5:104 (TLS)" in run("clinic", "show", "ankara").stdout
    assert {one["party"] for one in shown("endpoint", "list")} == {"ankara"}


def test_a_reviewer_comes_with_its_node(stores: Database) -> None:
    run("reviewer", "add", "board", "--identifier", "urn:x|1", *COMMON, "--node", "BOARD@[::1]:11113")
    endpoint = shown("endpoint", "show", "board-node")
    assert (endpoint["role"], endpoint["dicom"]["host"]) == ("reviewer-node", "::1")
    assert "no clinic named 'board'" in run("clinic", "show", "board", exit_code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        ((*CLINIC[:4], "no-bar", *COMMON), 2, "expected SYSTEM|VALUE"),
        ((*CLINIC, "--pacs", "10.0.0.5:104"), 2, "AE title"),
        ((*CLINIC, "--pacs", "PACS@host"), 2, "expected AE@host:port"),
        ((*CLINIC, "--pacs", "PACS@host:0"), 2, "port"),
        ((*CLINIC, "--ehr", "http://ehr.example"), 1, "plain http"),
        ((*CLINIC, "--ehr-token-file", __file__), 2, "goes with --ehr"),
        ((*CLINIC[:-1], "Europe/Ankara"), 1, "time zone"),
    ],
)
def test_what_is_refused(stores: Database, arguments: tuple[str, ...], exit_code: int, reason: str) -> None:
    assert reason in run(*arguments, exit_code=exit_code).stderr
    assert shown("clinic", "list") == []


def test_endpoints_come_and_go(stores: Database) -> None:
    run(*CLINIC)
    added = shown("endpoint", "add-dicom", "new-pacs", "NEW@pacs.example:104", "--party", "ankara")
    assert added["role"] == "pacs"
    url = ("https://ehr.example/fhir", "--party", "ankara")
    assert shown("endpoint", "add-fhir", "new-ehr", *url)["fhir"]["base_url"] == "https://ehr.example/fhir"
    assert "already" in run("endpoint", "add-fhir", "other", *url, exit_code=1).stderr
    run("endpoint", "remove", "new-pacs")
    assert [one["name"] for one in shown("endpoint", "list")] == ["new-ehr"]
    assert "no endpoint named 'new-pacs'" in run("endpoint", "remove", "new-pacs", exit_code=1).stderr


def test_a_client_secret_is_shown_once(stores: Database) -> None:
    run(*CLINIC)
    made = shown("client", "add", "ankara", "--id", "ankara-ehr")
    assert (made["client_id"], len(made["client_secret"])) == ("ankara-ehr", 43)
    assert made["client_secret"] not in run("client", "list", "--json").stdout
    run("client", "revoke", "ankara-ehr")
    assert shown("client", "list")[0]["revoked_at"] is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ("case", "show", "x"),
        ("case", "assign", "x", "board"),
        ("study", "show", "x"),
        ("study", "link", "x", "y"),
        ("consent", "list", "--case", "x"),
        ("delivery", "show", "x"),
        ("delivery", "retry", "x"),
        ("delivery", "cancel", "x"),
        ("recall", "acknowledge", "x"),
        ("job", "retry", "x"),
        ("quarantine", "show", "x"),
        ("quarantine", "accept", "x"),
        ("quarantine", "reject", "x"),
        ("document", "show", "x"),
        ("document", "approve", "x"),
        ("document", "redact", "x", __file__),
        ("document", "reject", "x"),
        ("audit", "list", "--case", "x"),
        ("endpoint", "test", "x"),
        ("client", "add", "x"),
    ],
)
def test_what_is_not_there_ends_with_one_and_a_sentence(stores: Database, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, exit_code=1).stderr.startswith("Error: ")


NOUNS = ("clinic", "reviewer", "endpoint", "client", "case", "study", "delivery", "recall", "job", "document")


@pytest.mark.parametrize("noun", NOUNS)
def test_an_empty_list(stores: Database, noun: str) -> None:
    assert run(noun, "list").stdout == "none\n"
    assert shown(noun, "list") == []


def test_a_list_stops_at_its_limit_and_says_that_there_is_more(stores: Database) -> None:
    with stores.write("test") as connection:
        for number in range(3):
            studies.put_in_quarantine(
                connection, "identity", f"reason {number}", studies.Place(None, None, None), now=NOW
            )
    assert len(shown("quarantine", "list")) == 3
    assert run("quarantine", "list", "--limit", "3").stderr == ""
    listed = run("quarantine", "list", "--limit", "2", "--json")
    assert len(json.loads(listed.stdout)) == 2
    assert listed.stderr == "the first 2 are shown and there are more; --limit shows them\n"


@pytest.mark.parametrize(
    ("variable", "value", "exit_code", "sentence"),
    [
        ("CONSILIUM_DATABASE_URL", "mysql://me:hunter2@db/x", 2, "database_url: must be empty, sqlite:///FILE or"),
        ("CONSILIUM_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/x", 1, "the database x at 127.0.0.1:1 did not"),
        ("CONSILIUM_DATABASE_URL", "sqlite:////dev/null/x.db", 1, "/dev/null cannot be made or used"),
        ("CONSILIUM_DATA_DIR", "/dev/null/data", 1, "/dev/null/data cannot be made or used"),
    ],
)
def test_an_unusable_database_or_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, data_folder: Path, variable: str, value: str, exit_code: int, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    [line] = run("db", "upgrade", exit_code=exit_code).stderr.splitlines()
    assert line.startswith("Error: ")
    assert sentence in line
    assert "hunter2" not in line


def test_quarantine_shows_both_values_and_records_who_looked(stores: Database) -> None:
    details = {"differences": [["birth date", "1980-01-01", "1981-01-01"]]}
    with stores.write("test") as connection:
        place = studies.Place(None, None, None)
        entry_id = studies.put_in_quarantine(
            connection, "identity", "identity: birth date", place, now=NOW, details=details
        )
    assert "1980-01-01" not in run("quarantine", "list").stdout
    assert (
        "birth date: '1980-01-01' in the images, '1981-01-01' in the order"
        in run("quarantine", "show", entry_id).stdout
    )
    assert shown("quarantine", "show", entry_id)["details"] == details
    with stores.read() as connection:
        assert audit_chain.verify(connection).unsealed == 2


def test_the_audit_chain_is_verified(stores: Database, data_folder: Path) -> None:
    run(*CLINIC, *PACS)
    with stores.write("test") as connection:
        audit_chain.seal(connection, now=NOW)
    whole: dict[str, object] = {
        "sealed": 2,
        "unsealed": 0,
        "oldest_unsealed_at": None,
        "broken_at": None,
        "damages": [],
        "anchors": 0,
        "anchor_folder": str(data_folder / "anchors"),
    }
    assert shown("audit", "verify") == whole
    with tampering(stores) as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    what = "the row or its seal was changed, or seals beside it were made anew"
    damage = {"audit_id": 2, "position": 2, "what": what}
    assert shown("audit", "verify", exit_code=1)["damages"] == [damage]
    told = run("audit", "verify", exit_code=1).stdout
    assert "BROKEN at audit row 2, after 1 good rows" in told
    assert f"audit row 2 (seal 2): {what}" in told


def test_ids_stay_whole_in_a_pipe(stores: Database) -> None:
    run(*CLINIC, *PACS)
    with stores.read() as connection:
        party_id = parties.party_by_name(connection, "ankara").id
    assert party_id in run("clinic", "list").stdout
