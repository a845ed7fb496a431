"""EHRs and archives that fail, fall silent, refuse or change what they get: one copy there, or the reason shown."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.uid import EncapsulatedPDFStorage

from tests.acceptance.destinations import Clinic, destinations
from tests.acceptance.stage import EHR_REPORT, PACS_REPORT, Stage
from tests.peers.strict_pacs import COERCED_SERIES_DESCRIPTION, SOP_CLASS_NOT_SUPPORTED

REFUSED_AS_OLD_ARCHIVES_DO = 0xA800


@pytest.fixture(scope="module")
def clinics(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Clinic]]:
    """Clinics of every temper, each with a report on its way; a test looks at one destination of one of them."""
    with destinations(stage, tmp_path_factory.mktemp("destinations")) as opened:
        yield opened


def test_an_ehr_that_answers_503_first_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    busy = clinics["busy"]
    assert busy.until(EHR_REPORT, "delivered")["attempts"] == 3
    _ehr_holds_exactly_one(busy)
    assert len(busy.ehr.writes()) == 3
    assert busy.receipt(EHR_REPORT)["status"] == "HTTP 201"


def test_an_ehr_that_stores_and_falls_silent_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    silent = clinics["silent"]
    silent.until(EHR_REPORT, "delivered")
    _ehr_holds_exactly_one(silent)
    assert len(silent.ehr.writes()) == 1
    assert silent.receipt(EHR_REPORT)["note"] == "was there already"


def test_an_ehr_with_update_and_no_conditional_create_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    updating = clinics["updating"]
    updating.until(EHR_REPORT, "delivered")
    _ehr_holds_exactly_one(updating)
    assert {one.method for one in updating.ehr.writes()} == {"PUT"}
    assert len({one.path for one in updating.ehr.writes()}) == 1


def test_an_ehr_that_offers_no_way_to_look_is_left_to_a_person(clinics: dict[str, Clinic]) -> None:
    closed = clinics["closed"]
    assert closed.until(EHR_REPORT, "ambiguous")["waits_for"].startswith("an administrator: ")
    [shown] = [one for one in closed.stage.waits(closed.order.case_id) if EHR_REPORT in one["what"]]
    assert "a person has to ask there" in shown["what"]
    assert len(closed.ehr.writes()) == 1

    closed.stage.gateway.cli("delivery", "confirm", closed.stage.delivery(closed.order.case_id, EHR_REPORT)["id"])
    assert closed.receipt(EHR_REPORT)["status"] == "confirmed"
    assert len(closed.ehr.writes()) == 1


def test_an_ehr_that_refuses_or_drops_the_pdf_is_shown_to_an_administrator(clinics: dict[str, Clinic]) -> None:
    forgetful = clinics["forgetful"]
    forgetful.failed(EHR_REPORT, "HTTP 422")
    assert forgetful.ehr.reports() == []

    forgetful.retry(EHR_REPORT)
    forgetful.failed(EHR_REPORT, "The EHR stored the report without its PDF")
    assert len(forgetful.ehr.reports()) == 1
    assert len(forgetful.ehr.writes()) == 2


def _ehr_holds_exactly_one(clinic: Clinic) -> None:
    [report] = clinic.ehr.reports()
    assert base64.b64decode(report["presentedForm"][0]["data"]).startswith(b"%PDF-")


def test_an_archive_that_takes_no_pdf_fails_with_the_remedy_until_it_is_enabled(clinics: dict[str, Clinic]) -> None:
    archive = clinics["busy"].archive
    shown = clinics["busy"].failed(PACS_REPORT, "WITHOUTPDF")
    assert shown["since"]
    assert archive.received == []

    archive.refuse_pdf = False
    for status in (SOP_CLASS_NOT_SUPPORTED, REFUSED_AS_OLD_ARCHIVES_DO):
        archive.pdf_status = status
        clinics["busy"].retry(PACS_REPORT)
        clinics["busy"].failed(PACS_REPORT, f"0x{status:04X}")
    assert archive.statuses == [SOP_CLASS_NOT_SUPPORTED, REFUSED_AS_OLD_ARCHIVES_DO]
    assert archive.stored == []

    archive.pdf_status = None
    clinics["busy"].retry(PACS_REPORT)
    clinics["busy"].until(PACS_REPORT, "delivered")
    _archive_keeps_exactly_one(clinics["busy"])


def test_a_duplicate_uid_is_read_back_and_a_coercion_is_noted(clinics: dict[str, Clinic]) -> None:
    silent = clinics["silent"]
    assert silent.until(PACS_REPORT, "delivered")["attempts"] == 2
    levels = [query.QueryRetrieveLevel for query in silent.archive.queries]
    assert levels == ["STUDY", "IMAGE", "IMAGE", "STUDY", "IMAGE"]
    receipt = silent.receipt(PACS_REPORT)
    assert receipt["status"] == "0xB000"
    assert "coerced" in receipt["note"]
    _archive_keeps_exactly_one(silent)
    assert silent.archive.stored[0].SeriesDescription == COERCED_SERIES_DESCRIPTION


def test_an_answer_after_the_time_out_leaves_exactly_one_object(clinics: dict[str, Clinic]) -> None:
    late = clinics["updating"]
    late.until(PACS_REPORT, "delivered")
    _archive_keeps_exactly_one(late)
    assert len(late.archive.received) == 1
    assert late.receipt(PACS_REPORT)["note"] == "was there already"


def test_an_archive_out_of_resources_is_tried_again(clinics: dict[str, Clinic]) -> None:
    full = clinics["closed"]
    assert full.until(PACS_REPORT, "delivered")["attempts"] == 3
    _archive_keeps_exactly_one(full)


def test_a_study_unknown_or_of_another_patient_there_is_shown_to_a_person(clinics: dict[str, Clinic]) -> None:
    forgetful = clinics["forgetful"]
    forgetful.waiting(PACS_REPORT, "yet, or not any more")

    forgetful.archive.register(replace(forgetful.study, patient_name="Kaya^Ayşe", birth_date="19670422"))
    shown = forgetful.failed(PACS_REPORT, "the PACS names another patient for the study (name, birth date)")
    assert "Kaya" not in shown["what"]
    assert forgetful.archive.received == []

    merged = replace(forgetful.study, patient_id="MERGED-1", patient_name="ÖZTÜRK^AYŞE IŞIL")
    forgetful.archive.register(merged)
    forgetful.retry(PACS_REPORT)
    forgetful.until(PACS_REPORT, "delivered")
    _archive_keeps_exactly_one(forgetful)
    assert forgetful.archive.stored[0].PatientID == "MERGED-1"


def _archive_keeps_exactly_one(clinic: Clinic) -> None:
    [kept] = clinic.archive.stored
    assert kept.SOPClassUID == EncapsulatedPDFStorage
    assert kept.StudyInstanceUID == clinic.order.data.study_instance_uid
