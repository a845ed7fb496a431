"""Studies that nobody ordered yet, that fit two orders, or that name another person than the order does."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from tests.acceptance.stage import DISCLOSE, STUDY, Stage, somebody

UNNAMED = {"study_instance_uid": "", "accession_number": ""}
"""An order that names no study."""


@pytest.mark.parametrize("key", ["study_instance_uid", "accession_number", "record_number"])
def test_a_study_nobody_ordered_joins_the_case_when_the_order_comes(stage: Stage, files: Path, key: str) -> None:
    patient = somebody()
    wanted = stage.case_data(patient=patient)
    foreign = patient if key == "record_number" else replace(patient, patient_id=somebody().patient_id)
    assert stage.send_study(wanted, files, patient=foreign, slices=1).is_success
    line = stage.until_study(wanted.study_instance_uid, "unmatched")
    assert line["case_id"] == ""
    assert "no open order names the study" in line["waits_for"]
    assert f"consilium study link {line['id']}" in line["waits_for"]

    named = UNNAMED | ({key: getattr(wanted, key)} if key in UNNAMED else {})
    case = stage.open_case(DISCLOSE, patient=patient, **named)
    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(case)) == 1
    assert stage.until_study(wanted.study_instance_uid, "matched")["case_id"] == case.id


def test_a_study_that_fits_two_open_orders_is_left_to_a_person(stage: Stage, files: Path) -> None:
    patient = somebody()
    first, second = (stage.open_case(DISCLOSE, patient=patient, **UNNAMED) for _ in range(2))
    uid = generate_uid()
    assert stage.send_study(first.data, files, patient=patient, slices=1, study_instance_uid=uid).is_success
    line = stage.until_study(uid, "unmatched")
    assert "2 open orders have this patient identifier" in line["waits_for"]
    for case in (first, second):
        assert [one["what"] for one in stage.waits(case.id) if "study" in one["what"]] == ["the study"]
        assert stage.deliveries(case.id) == []

    stage.gateway.cli("study", "link", line["id"], second.id)
    stage.until_delivery(second.id, STUDY, "delivered")
    assert len(stage.at_reviewer(second)) == 1
    assert stage.deliveries(first.id) == []


@pytest.mark.parametrize(
    ("change", "field", "in_order"),
    [
        ({"birth_date": date(1967, 4, 12)}, "birth date", "1967-04-21"),
        ({"sex": "M"}, "sex", "female"),
        ({"family": "Kaya"}, "name", "Öztürk"),
    ],
    ids=["birth date", "sex", "name"],
)
def test_a_study_of_another_person_waits_with_both_values_shown(
    stage: Stage, files: Path, change: dict[str, Any], field: str, in_order: str
) -> None:
    case = stage.open_case(DISCLOSE)
    assert stage.send_images(case, files, person=replace(case.person, **change)).is_success
    entry = stage.until_quarantined(case)
    assert entry["reason"].startswith(f"identity: {field} in the images differs from the order")
    [wait] = [one for one in stage.waits(case.id) if "identity" in one["what"]]
    assert wait["who"] == f"a coordinator: consilium quarantine show {entry['id']}"
    assert stage.at_reviewer(case) == []
    assert stage.granted(case) == []

    [[name, in_header, ordered]] = stage.gateway.shown("quarantine", "show", entry["id"])["details"]["differences"]
    assert name == field
    assert str(change[next(iter(change))]).lower()[:1] in in_header.lower()
    assert in_order in ordered
    assert in_header != ordered
    shown = stage.gateway.cli("quarantine", "show", entry["id"])
    assert in_header in shown
    assert ordered in shown

    stage.gateway.cli("quarantine", "accept", entry["id"])
    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(case)) == 2


def test_a_rejected_identity_keeps_the_study_from_the_case(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    assert stage.send_images(case, files, person=replace(case.person, sex="M")).is_success
    stage.gateway.cli("quarantine", "reject", stage.until_quarantined(case)["id"])
    line = stage.until_study(case.data.study_instance_uid, "rejected")
    assert line["case_id"] == ""
    assert stage.deliveries(case.id) == []
    assert stage.at_reviewer(case) == []
    again = f"the study again: study {line['id']} was rejected"
    assert [one["what"] for one in stage.waits(case.id) if "study" in one["what"]] == [again]


def test_a_rejected_study_that_comes_again_corrected_goes_on(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    assert stage.send_images(case, files, person=replace(case.person, sex="M")).is_success
    stage.gateway.cli("quarantine", "reject", stage.until_quarantined(case)["id"])
    assert stage.send_images(case, files).is_success
    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(case)) == 2


@pytest.mark.parametrize(
    ("family", "given"),
    [("OZTURK", "AYSE ISIL"), ("Oeztuerk", "Ayse Isil"), ("Işıl Öztürk", "Ayşe"), ("öztürk", "ayşe ışıl")],
)
def test_one_name_in_other_letters_is_one_name(stage: Stage, files: Path, family: str, given: str) -> None:
    case = stage.open_case(DISCLOSE)
    spelt = replace(case.person, family=family, given=given)
    assert stage.send_images(case, files, person=spelt, slices=1).is_success
    stage.until_delivery(case.id, STUDY, "delivered")
    [received] = stage.at_reviewer(case)
    assert received.PatientName == received.PatientID
