"""The commands that show and move what stands still, over a case with a delivery."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.office import Office
from gateway.domain.work import JobKind
from gateway.services import egress
from gateway.store.engine import Database
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


@pytest.fixture
def scenery(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenery:
    built = Scenery(database, tmp_path)
    monkeypatch.setattr(Office, "core", built.core)
    return built


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_delivery_is_shown_with_its_objects(scenery: Scenery) -> None:
    delivery = scenery.images("1.2.840.1", "1.2.840.2")
    lines = run("delivery", "show", delivery.id).splitlines()
    assert lines[-3].split() == ["no.", "SOPInstanceUID", "status", "sent", "attempts", "last", "error"]
    assert [line.split() for line in lines[-2:]] == [["0", "1.2.840.1", "0"], ["1", "1.2.840.2", "0"]]


def test_a_job_that_gave_up_is_listed_and_begun_again(scenery: Scenery) -> None:
    study_id = scenery.study()
    job_id = scenery.stop(JobKind.STUDY_SETTLE, study_id, "Permanent: no room")
    listed = run("job", "list")
    assert job_id in listed
    assert "Permanent: no room" in listed
    assert f"consilium job retry {job_id}" in run("study", "show", study_id)
    assert f"consilium job retry {job_id}" in run("case", "show", scenery.case.id)
    assert run("job", "retry", job_id) == f"job {job_id} (study-settle of {study_id}) is done again\n"
    assert run("job", "list") == "none\n"


def test_a_recall_notice_is_listed_and_acknowledged(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    egress.grant(scenery.core, scenery.images("1.1").id)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    [notice] = json.loads(run("recall", "list", "--json"))
    recall_id = notice["id"]
    assert recall_id in run("recall", "list")
    assert f"consilium recall acknowledge {recall_id}" in run("case", "show", scenery.case.id)
    assert run("recall", "acknowledge", recall_id) == f"recall notice {recall_id} is acknowledged\n"
    assert run("recall", "list") == "none\n"
    assert recall_id in run("recall", "list", "--case", scenery.case.id, "--all")


def test_the_consents_of_a_case(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    heading, line = run("consent", "list", "--case", scenery.case.id).splitlines()
    assert " ".join(heading.split()) == "id version status says flow recipient purpose period stored from"
    assert line.split()[:7] == [consent_id, "1", "active", "permit", "disclose-to-reviewer", "board", "TREAT"]
