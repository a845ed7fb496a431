"""EHRs that fail, fall silent or drop what they are sent: each ends with one report, or with the reason shown."""

import base64

import pytest

from tests.acceptance.destinations import Clinic
from tests.acceptance.stage import EHR_REPORT

pytestmark = pytest.mark.xdist_group("refusals-outbound")


def test_an_ehr_that_answers_503_first_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    busy = clinics["busy"]
    assert busy.until(EHR_REPORT, "delivered")["attempts"] == 3
    _holds_exactly_one(busy)
    assert len(busy.ehr.writes()) == 3
    assert busy.receipt(EHR_REPORT)["status"] == "HTTP 201"


def test_an_ehr_that_stores_and_falls_silent_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    silent = clinics["silent"]
    silent.until(EHR_REPORT, "delivered")
    _holds_exactly_one(silent)
    assert len(silent.ehr.writes()) == 1
    assert silent.receipt(EHR_REPORT)["note"] == "was there already"


def test_an_ehr_with_update_and_no_conditional_create_ends_with_one_report(clinics: dict[str, Clinic]) -> None:
    updating = clinics["updating"]
    updating.until(EHR_REPORT, "delivered")
    _holds_exactly_one(updating)
    assert {one.method for one in updating.ehr.writes()} == {"PUT"}
    assert len({one.path for one in updating.ehr.writes()}) == 1


def test_an_ehr_that_offers_no_way_to_look_is_left_to_a_person(clinics: dict[str, Clinic]) -> None:
    closed = clinics["closed"]
    assert closed.until(EHR_REPORT, "ambiguous")["waits_for"].startswith("an administrator: ")
    [shown] = [one for one in closed.stage.waits(closed.order.case_id) if EHR_REPORT in one["what"]]
    assert "a person has to ask there" in shown["what"]
    assert len(closed.ehr.writes()) == 1


def test_an_ehr_that_refuses_or_drops_the_pdf_is_shown_to_an_administrator(clinics: dict[str, Clinic]) -> None:
    forgetful = clinics["forgetful"]
    assert forgetful.failed(EHR_REPORT, "HTTP 422")["who"] == "an administrator"
    assert forgetful.ehr.reports() == []

    forgetful.retry(EHR_REPORT)
    assert forgetful.failed(EHR_REPORT, "The EHR stored the report without its PDF")["who"] == "an administrator"
    assert len(forgetful.ehr.reports()) == 1
    assert len(forgetful.ehr.writes()) == 2


def _holds_exactly_one(clinic: Clinic) -> None:
    [report] = clinic.ehr.reports()
    assert base64.b64decode(report["presentedForm"][0]["data"]).startswith(b"%PDF-")
