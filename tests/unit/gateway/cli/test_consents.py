"""What a privacy officer types: explain, revoke, the authority of representatives, transfers to other countries."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.office import Office
from gateway.store import cases
from gateway.store.engine import Database
from tests.unit.gateway.services.consent_acts import GUARDIAN, actions, consent, move
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


@pytest.fixture
def scenery(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenery:
    scenery = Scenery(database, tmp_path)
    monkeypatch.setattr(Office, "core", scenery.core)
    return scenery


def _said(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_explaining_goes_through_the_provisions(scenery: Scenery) -> None:
    given = scenery.consent(DISCLOSE)
    scenery.images("1.1")
    asked = ("consent", "explain", "--case", scenery.case.id, "--to", "board-node")
    told = _said(*asked)
    assert told.startswith("To board (disclose-to-reviewer): Yes.\n\nImagingStudy/")
    assert "\nMay 1 of 1 items (ImagingStudy/" in told
    assert "\nMay 1 of 1 items (ServiceRequest/" in told
    assert f"Consent {given} version 1, Consent.provision" in told
    assert "every element matches" in told
    shown = json.loads(_said(*asked, "--at", "2026-03-01", "--json"))
    assert (shown["outcome"], shown["at"]) == ("permit", "2026-02-28T21:00:00+00:00")
    assert [one["consents"] for one in shown["things"]] == [[{"id": given, "version": 1}]] * 2
    assert "FHIR dateTime" in _said(*asked, "--at", "tomorrow", exit_code=1)


def test_of_a_closed_case_it_says_that_nothing_leaves(scenery: Scenery) -> None:
    scenery.consent(DISCLOSE)
    with scenery.core.database.write("test") as connection:
        cases.close(connection, scenery.case.id, scenery.clock())
    asked = ("consent", "explain", "--case", scenery.case.id, "--to", "board-node")
    assert _said(*asked).startswith(
        "To board (disclose-to-reviewer): Yes. Whatever the consents say, nothing leaves: the case is closed since "
    )
    shown = json.loads(_said(*asked, "--json"))
    assert (shown["outcome"], [one["code"] for one in shown["hindrances"]]) == ("permit", ["closed-case"])


def test_revoking_by_letter(scenery: Scenery) -> None:
    given = scenery.consent(DISCLOSE)
    assert _said("consent", "revoke", given, "--reason", "letter") == f"consent {given} is inactive as of version 2\n"
    assert "inactive already" in _said("consent", "revoke", given, "--reason", "letter", exit_code=1)


@pytest.mark.parametrize("why", ["x" * 201, "one\ntwo", ""], ids=["long", "lines", "none"])
@pytest.mark.parametrize(
    "command",
    [
        ("consent", "revoke", "ID", "--reason"),
        ("consent", "authority", "record", "ID", "--basis"),
        ("case", "close", "ID", "--reason"),
        ("case", "hold", "ID", "--reason"),
        ("study", "leave-out", "ID", "--reason"),
        ("delivery", "hold", "ID", "--reason"),
    ],
    ids=["revoke", "authority", "close", "hold", "leave-out", "hold delivery"],
)
def test_what_a_person_types_into_the_trail_is_one_short_line(
    scenery: Scenery, command: tuple[str, ...], why: str
) -> None:
    before = actions(scenery)
    assert "one line" in _said(*command, why, exit_code=2)
    assert actions(scenery) == before


def test_recording_and_withdrawing_an_authority(scenery: Scenery) -> None:
    given = consent(scenery, DISCLOSE, performer=[GUARDIAN])
    _said("consent", "authority", "record", given, "--basis", "court order 7", "--until", "2027-03-31")
    _said("consent", "authority", "withdraw", given)
    assert [action for _, action in actions(scenery)][-2:] == ["authority.record", "authority.withdraw"]


def test_what_is_on_record_of_representatives_is_listed(scenery: Scenery) -> None:
    given = consent(scenery, DISCLOSE, performer=[GUARDIAN])
    asked = ("consent", "authority", "list", "--case", scenery.case.id)
    assert json.loads(_said(*asked, "--json")) == []
    _said("consent", "authority", "record", given, "--basis", "court order 7", "--until", "2027-03-31")
    [line] = json.loads(_said(*asked, "--json"))
    shown = {"consent_id": given, "basis": "court order 7", "holds": True, "valid_until": "2027-03-31T21:00:00+00:00"}
    assert {key: line[key] for key in shown} == shown
    assert (line["recorded_at"], line["withdrawn_by"], line["withdrawn_at"]) == ("2026-03-02T09:00:00+00:00", "", None)
    other = {"identifier": GUARDIAN["identifier"] | {"value": "guardian-2"}}
    consent(scenery, DISCLOSE, of=given, performer=[other])
    assert [one["holds"] for one in json.loads(_said(*asked, "--json"))] == [False]
    consent(scenery, DISCLOSE, of=given, performer=[GUARDIAN])
    _said("consent", "authority", "withdraw", given)
    [line] = json.loads(_said(*asked, "--json"))
    assert (line["holds"], line["withdrawn_at"]) == (False, "2026-03-02T09:00:00+00:00")
    assert given in _said(*asked)
    assert actions(scenery)[-1][1] == "authority.list"
    assert "no case" in _said("consent", "authority", "list", "--case", "nothing", exit_code=1)


def test_a_transfer_is_added_listed_and_ended(scenery: Scenery) -> None:
    move(scenery, "board", "DE")
    between = ("--clinic", "ankara", "--to", "board", "--kind", "standard-contractual-clauses")
    known = (*between, "--reference", "SCC 7", "--from", "2026-01-01", "--until", "2026-12-31")
    _said("transfer", "add", *known)
    assert "on record already" in _said("transfer", "add", *known, exit_code=1)
    [line] = json.loads(_said("transfer", "list", "--json"))
    assert (line["reference"], line["valid_until"]) == ("SCC 7", "2026-12-31T21:00:00+00:00")
    _said("transfer", "end", line["id"])
    [line] = json.loads(_said("transfer", "list", "--json"))
    assert line["ended_at"] == "2026-03-02T09:00:00+00:00"
    _said("transfer", "add", "--clinic", "ankara", "--to", "board", "--kind", "by-handshake", exit_code=2)
