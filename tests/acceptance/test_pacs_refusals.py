"""Archives that refuse, change or lose the answer to the report's PDF, or know the study otherwise than the order."""

from dataclasses import replace

import pytest
from pydicom.uid import EncapsulatedPDFStorage

from tests.acceptance.destinations import Clinic
from tests.acceptance.stage import PACS_REPORT
from tests.peers.strict_pacs import COERCED_SERIES_DESCRIPTION, SOP_CLASS_NOT_SUPPORTED

pytestmark = pytest.mark.xdist_group("refusals-outbound")

REFUSED_AS_OLD_ARCHIVES_DO = 0xA800


def test_an_archive_that_takes_no_pdf_fails_with_the_remedy_until_it_is_enabled(clinics: dict[str, Clinic]) -> None:
    archive = clinics["busy"].archive
    shown = clinics["busy"].failed(PACS_REPORT, "WITHOUTPDF")
    assert shown["who"] == "an administrator"
    assert shown["since"]
    assert archive.received == []

    archive.refuse_pdf = False
    for status in (SOP_CLASS_NOT_SUPPORTED, REFUSED_AS_OLD_ARCHIVES_DO):
        archive.pdf_status = status
        clinics["busy"].retry(PACS_REPORT)
        assert clinics["busy"].failed(PACS_REPORT, f"0x{status:04X}")["who"] == "an administrator"
    assert archive.statuses == [SOP_CLASS_NOT_SUPPORTED, REFUSED_AS_OLD_ARCHIVES_DO]
    assert archive.stored == []

    archive.pdf_status = None
    clinics["busy"].retry(PACS_REPORT)
    clinics["busy"].until(PACS_REPORT, "delivered")
    _keeps_exactly_one(clinics["busy"])


def test_a_duplicate_uid_is_read_back_and_a_coercion_is_noted(clinics: dict[str, Clinic]) -> None:
    silent = clinics["silent"]
    assert silent.until(PACS_REPORT, "delivered")["attempts"] == 2
    levels = [query.QueryRetrieveLevel for query in silent.archive.queries]
    assert levels == ["STUDY", "IMAGE", "IMAGE", "STUDY"]
    receipt = silent.receipt(PACS_REPORT)
    assert receipt["status"] == "0xB000"
    assert "coerced" in receipt["note"]
    _keeps_exactly_one(silent)
    assert silent.archive.stored[0].SeriesDescription == COERCED_SERIES_DESCRIPTION


def test_an_answer_after_the_time_out_leaves_exactly_one_object(clinics: dict[str, Clinic]) -> None:
    late = clinics["updating"]
    late.until(PACS_REPORT, "delivered")
    _keeps_exactly_one(late)
    assert len(late.archive.received) == 1
    assert late.receipt(PACS_REPORT)["note"] == "was there already"


def test_an_archive_out_of_resources_is_tried_again(clinics: dict[str, Clinic]) -> None:
    full = clinics["closed"]
    assert full.until(PACS_REPORT, "delivered")["attempts"] == 3
    _keeps_exactly_one(full)


def test_a_study_unknown_or_of_another_patient_there_is_shown_to_a_person(clinics: dict[str, Clinic]) -> None:
    forgetful = clinics["forgetful"]
    shown = forgetful.failed(PACS_REPORT, "the PACS has 0 studies of that UID")
    assert shown["who"] == "an administrator"

    forgetful.archive.register(replace(forgetful.study, patient_name="Kaya^Ayşe", birth_date="19670422"))
    forgetful.retry(PACS_REPORT)
    shown = forgetful.failed(PACS_REPORT, "the PACS names another patient for the study (name, birth date)")
    assert "Kaya" not in shown["what"]
    assert forgetful.archive.received == []

    merged = replace(forgetful.study, patient_id="MERGED-1", patient_name="ÖZTÜRK^AYŞE IŞIL")
    forgetful.archive.register(merged)
    forgetful.retry(PACS_REPORT)
    forgetful.until(PACS_REPORT, "delivered")
    _keeps_exactly_one(forgetful)
    assert forgetful.archive.stored[0].PatientID == "MERGED-1"


def _keeps_exactly_one(clinic: Clinic) -> None:
    [kept] = clinic.archive.stored
    assert kept.SOPClassUID == EncapsulatedPDFStorage
    assert kept.StudyInstanceUID == clinic.order.data.study_instance_uid
