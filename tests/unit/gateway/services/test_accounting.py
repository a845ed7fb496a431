"""What a patient is told of disclosures: to whom, when, what, why, on which consents, and whether it arrived."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway.domain.accounting_words import moment_in_words, purposes_in_words, status_in_words
from gateway.domain.audit_record import Accounting
from gateway.domain.consent import TransferKind
from gateway.domain.errors import NotFound
from gateway.domain.record import Delivery
from gateway.services import accounting, egress, transferring
from gateway.services.accounting import accounting_of_case, accounting_of_patient, six_years_before
from gateway.services.accounting_csv import as_csv
from gateway.services.transferring import NewTransfer
from gateway.store import audit, tables
from tests.core import START
from tests.unit.gateway.services.consent_acts import move
from tests.unit.gateway.services.scenery import DISCLOSE, Scenery


def _accounted(scenery: Scenery, since: datetime | None = None) -> Accounting:
    return accounting_of_patient(scenery.core, scenery.case.patient_id, since=since)


def _acknowledged(scenery: Scenery, delivery: Delivery) -> None:
    told = {"status": "0x0000", "reference": "1.2.3"}
    with scenery.core.database.write("test") as connection:
        now = scenery.clock()
        audit.record_of_delivery(connection, delivery, "delivery.delivered", at=now, actor="gateway", details=told)


def test_what_was_granted_is_accounted_for_once_however_often_it_was_tried(scenery: Scenery, images: Delivery) -> None:
    assert egress.grant(scenery.core, images.id)
    scenery.clock.forward(minutes=5)
    assert egress.grant(scenery.core, images.id)
    _acknowledged(scenery, images)
    [one] = _accounted(scenery).disclosures
    assert (one.granted_at, one.grants, one.recipient, one.country) == (START, 2, "board", "TR")
    assert one.what == f"images of a study, de-identified (delivery/{images.id})"
    assert (one.purposes, one.case_id, one.recalled_at, one.transfer) == (("TREAT",), scenery.case.id, None, "")
    assert len(one.consents) == 1
    assert "@" in one.address
    assert (one.acknowledged_at, one.acknowledgement) == (scenery.clock(), "stored (DICOM 0x0000) 1.2.3")
    assert len(one.evidence) == 3


def test_it_is_whole_however_many_rows_there_are_and_reads_none_of_before(
    scenery: Scenery, images: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "_PAGE", 2)
    for _ in range(5):
        assert egress.grant(scenery.core, images.id)
        scenery.clock.forward(days=400)
    _acknowledged(scenery, images)
    [one] = _accounted(scenery).disclosures
    assert (one.granted_at, one.grants, len(one.evidence)) == (START, 5, 6)
    since = START + timedelta(days=900)
    for later in (_accounted(scenery, since), accounting_of_case(scenery.core, scenery.case.id, since=since)):
        [one] = later.disclosures
        assert (one.granted_at, one.grants, one.acknowledged_at) == (START + timedelta(days=1200), 2, scenery.clock())


def test_what_was_never_granted_is_none(scenery: Scenery, images: Delivery) -> None:
    assert _accounted(scenery).disclosures == ()
    _acknowledged(scenery, images)
    assert _accounted(scenery).disclosures == ()


def test_a_consent_that_was_taken_back_afterwards_is_told(scenery: Scenery) -> None:
    consent_id = scenery.consent(DISCLOSE)
    images = scenery.images("1.1")
    assert egress.grant(scenery.core, images.id)
    scenery.clock.forward(hours=1)
    scenery.consent(DISCLOSE, status="inactive", of=consent_id)
    [one] = _accounted(scenery).disclosures
    assert (one.recalled_at, one.acknowledged_at) == (scenery.clock(), None)
    [_, row] = csv.reader(io.StringIO(as_csv(_accounted(scenery))))
    assert "2026-03-02T13:00:00+03:00" in row


def test_who_is_responsible_and_what_it_went_abroad_on_are_told(scenery: Scenery) -> None:
    move(scenery, "board", "DE")
    scenery.consent(DISCLOSE)
    images = scenery.images("1.1")
    new = NewTransfer("ankara", "board", TransferKind.STANDARD_CONTRACTUAL_CLAUSES, "No. 7")
    used = transferring.add(scenery.core, new, actor="test")
    assert egress.grant(scenery.core, images.id)
    transferring.end(scenery.core, used, actor="test")
    for found in (_accounted(scenery), accounting_of_case(scenery.core, scenery.case.id, since=None)):
        assert (found.custodian, found.time_zone) == ("ankara", "Europe/Istanbul")
        [one] = found.disclosures
        assert (one.country, one.transfer) == ("DE", f"{TransferKind.STANDARD_CONTRACTUAL_CLAUSES} No. 7 ({used})")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("0x0000", "stored (DICOM 0x0000)"),
        ("0xB007", "stored with a warning (DICOM 0xB007)"),
        ("C-FIND", "found there when asked for (C-FIND)"),
        ("HTTP 201", "stored (HTTP 201)"),
        ("confirmed", "confirmed"),
    ],
)
def test_what_the_other_side_answered_is_told_in_words(status: str, words: str) -> None:
    assert status_in_words(status) == words


def test_codes_and_times_are_told_in_words() -> None:
    assert purposes_in_words(("COC", "TREAT")) == "coordination of care (COC) or treatment (TREAT)"
    assert purposes_in_words(("ETREAT",)) == "ETREAT"
    assert moment_in_words(START, "America/New_York") == "2026-03-02 04:00 -05:00"


def test_it_survives_the_destruction_of_the_patient_and_of_the_rows_of_the_case(
    scenery: Scenery, images: Delivery
) -> None:
    assert egress.grant(scenery.core, images.id)
    with scenery.core.database.write("test") as connection:
        connection.execute(update(tables.resource).values(destroyed_at=START))
        connection.execute(update(tables.case).values(destroyed_at=START, state="closed"))
    before = _accounted(scenery)
    assert len(before.disclosures) == 1
    assert before == accounting_of_case(scenery.core, scenery.case.id, since=None)


def test_what_is_longer_ago_is_left_out(scenery: Scenery, images: Delivery) -> None:
    assert egress.grant(scenery.core, images.id)
    scenery.clock.forward(days=6 * 366)
    assert _accounted(scenery).disclosures == ()
    assert len(_accounted(scenery, since=START).disclosures) == 1
    assert _accounted(scenery, since=START + timedelta(seconds=1)).disclosures == ()


def test_nobody_is_found_for_an_id_that_is_no_patient(scenery: Scenery) -> None:
    with pytest.raises(NotFound):
        accounting_of_patient(scenery.core, "nobody", since=None)
    with pytest.raises(NotFound):
        accounting_of_patient(scenery.core, scenery.case.clinic_id, since=None)


def test_six_years_before() -> None:
    assert six_years_before(datetime(2026, 3, 2, 9, tzinfo=UTC)) == datetime(2020, 3, 2, 9, tzinfo=UTC)
    assert six_years_before(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2018, 3, 1, tzinfo=UTC)


def test_a_spreadsheet_executes_nothing_of_it(scenery: Scenery, images: Delivery) -> None:
    with scenery.core.database.write("test") as connection:
        connection.execute(update(tables.party).where(tables.party.c.name == "board").values(name='=cmd|"/c calc"!A1'))
    assert egress.grant(scenery.core, images.id)
    [headings, row] = csv.reader(io.StringIO(as_csv(_accounted(scenery))))
    told = dict(zip(headings, row, strict=True))
    assert told["recipient"] == '\'=cmd|"/c calc"!A1'
    assert (told["date"], told["custodian"]) == ("2026-03-02T12:00:00+03:00", "ankara")
    assert told["purpose"] == "treatment (TREAT)"
    assert (told["acknowledged"], told["recalled"]) == ("", "")
