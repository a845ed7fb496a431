"""The accounting of disclosures as PDF: what a patient is handed, its pages read by pypdf."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from gateway.cli import main
from gateway.domain.audit_record import Accounting, Disclosure
from gateway.store.engine import Database
from tests.integration.rendering.samples import INSTITUTION
from tests.unit.gateway.services.scenery import Scenery
from workers.rendering.accounting import render_accounting

PATIENT, CASE = "wa27q6cgujmifuxk", "qa27q6cgujmifuxk"
CLINIC, ZONE = "Ankara Şehir Hastanesi", "Europe/Istanbul"
FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)


def disclosure(number: int) -> Disclosure:
    at = FIRST + timedelta(days=number)
    return Disclosure(
        granted_at=at,
        grants=1,
        recipient="Kulak Burun Boğaz Üst Kurulu <b>",
        endpoint="board-node",
        address="BOARD@board.hospital.example:11112",
        country="DE",
        what=f"images of a study, de-identified (delivery/{number:016})",
        purposes=("TREAT",),
        consents=("na27q6cgujmifuxk/12",),
        decision="pa27q6cgujmifuxk",
        case_id=CASE,
        acknowledged_at=at if number % 2 else None,
        acknowledgement="stored (DICOM 0x0000) 2.25.329800735698586629295641978511506172918" if number % 2 else "",
        recalled_at=at + timedelta(hours=1) if number == 0 else None,
        evidence=(number + 100_000,),
        transfer="certification No. 7 (ta27q6cgujmifuxk)" if number == 2 else "",
    )


def pages(content: bytes) -> list[str]:
    """The text of each page, its lines joined."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(content)).pages]


def test_every_disclosure_stands_on_pages_that_name_the_patient_and_their_columns() -> None:
    found = tuple(disclosure(number) for number in range(25))
    texts = pages(
        render_accounting(Accounting(PATIENT, CLINIC, ZONE, (CASE,), FIRST, FIRST, found), institution=INSTITUTION)
    )
    assert len(texts) > 1
    for number, text in enumerate(texts, start=1):
        assert f"Patient {PATIENT}" in text
        assert f"{number} / {len(texts)}" in text
        assert "Recipient and address" in text
    assert (
        f"{INSTITUTION.name}, for {CLINIC}, the clinic whose patient it is. Patient {PATIENT}, case {CASE}." in texts[0]
    )
    assert "on the clocks of Europe/Istanbul" in texts[0]
    assert "disclosures: 25." in texts[0]
    told = " ".join(texts)
    for one in found:
        assert f"{one.granted_at + timedelta(hours=3):%Y-%m-%d %H:%M} +03:00" in told
        assert str(one.evidence[0]) in told
    for words in (
        "Boğaz",
        "Üst",
        "<b>",
        "(DE)",
        "treatment (TREAT)",
        "na27q6cgujmifuxk/12",
        "not acknowledged",
        "stored (DICOM 0x0000)",
    ):
        assert told.count(words) >= 12, words
    assert told.count("the consent was taken back afterwards, at 2026-03-02 13:00 +03:00") == 1
    assert told.count("transfer abroad: certification No. 7 (ta27q6cgujmifuxk)") == 1


def test_one_of_several_cases_without_any_disclosure_says_so() -> None:
    nothing = Accounting(PATIENT, CLINIC, ZONE, (CASE, CASE[::-1]), FIRST, FIRST, ())
    [text] = pages(render_accounting(nothing, institution=INSTITUTION))
    assert f"cases {CASE}, {CASE[::-1]}." in text
    assert "Nothing was disclosed." in text


def test_a_value_that_no_page_has_room_for_is_broken_and_not_cut_off() -> None:
    long = replace(disclosure(1), recipient="Q" * 300)
    texts = pages(
        render_accounting(Accounting(PATIENT, CLINIC, ZONE, (), FIRST, FIRST, (long,)), institution=INSTITUTION)
    )
    assert sum(text.count("Q") for text in texts) == 300


def test_the_command_writes_it_into_a_file(
    empty_database_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "consilium.db").write_bytes(empty_database_file.read_bytes())
    database = Database(f"sqlite:///{data}/consilium.db")
    scenery = Scenery(database, tmp_path)
    database.dispose()
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(data))
    command = ["audit", "disclosures", "--case", scenery.case.id, "--format", "pdf"]
    assert CliRunner().invoke(main, command).exit_code == 2
    nowhere = tmp_path / "nowhere" / "a.pdf"
    refused = CliRunner().invoke(main, [*command, "--output", str(nowhere)], catch_exceptions=False)
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"Error: {nowhere} cannot be written: No such file or directory\n",
    )
    result = CliRunner().invoke(main, [*command, "--output", str(tmp_path / "a.pdf")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    [text] = pages((tmp_path / "a.pdf").read_bytes())
    assert f"Patient {scenery.case.patient_id}, case {scenery.case.id}." in text
