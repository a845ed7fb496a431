"""How `consilium case show` tells the story."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from gateway.cli import cases, main
from gateway.cli.office import Office
from gateway.domain.story import CaseStory, Station, Wait
from gateway.services import story

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORY = CaseStory(
    case_id="abcdefghij234567",
    pseudonym="CS-1",
    clinic="ankara",
    reviewer="",
    state="open",
    stations=(
        Station(NOW, "order received"),
        Station(
            NOW + timedelta(minutes=5), "consent decided for study-to-reviewer", "permit", ("c1/2", "c2/1"), "[why]"
        ),
    ),
    waits=(Wait("a reviewer", NOW, "a coordinator: consilium case assign"),),
)


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "case_story", lambda _core, _case_id: STORY)
    monkeypatch.setattr(Office, "core", None)
    monkeypatch.setattr(cases, "record_look", lambda _core, _action, **_of: None)


def test_for_people() -> None:
    lines = CliRunner().invoke(main, ["case", "show", STORY.case_id]).stdout.splitlines()
    assert lines[:5] == [
        "case       abcdefghij234567",
        "pseudonym  CS-1",
        "clinic     ankara",
        "reviewer   nobody yet",
        "state      open",
    ]
    assert lines[6].split() == ["time", "(UTC)", "station", "decision", "consents", "detail"]
    assert lines[7].startswith("2026-03-01 12:00:00  order received")
    decision = "2026-03-01 12:05:00  consent decided for study-to-reviewer  permit    c1/2, c2/1  [why]"
    assert lines[8].rstrip() == decision
    assert lines[10:] == [
        "waits for  a reviewer",
        "           since            2026-03-01 12:00:00 UTC",
        "           who can move it  a coordinator: consilium case assign",
    ]


def test_for_programs() -> None:
    told = json.loads(CliRunner().invoke(main, ["case", "show", "x", "--json"]).stdout)
    assert told["stations"][1]["consents"] == ["c1/2", "c2/1"]
    assert told["waits"][0]["since"] == "2026-03-01T12:00:00+00:00"
