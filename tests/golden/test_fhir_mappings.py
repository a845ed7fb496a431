"""What the gateway writes in FHIR, whole. The fhir.resources classes have to read each golden file as well."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_mappings.diagnostic_report import diagnostic_report_to_fhir
from fhir_mappings.imaging_study import imaging_study_to_fhir
from fhir_mappings.validation import check_resource
from gateway.domain.party import Identifier
from gateway.domain.report import Rendition, Report
from tests.unit.fhir_mappings.catalogue import CASE, INSTANCES, STUDY

FOLDER = Path(__file__).parent / "fhir"

REPORT = Report(
    id="r1",
    version=2,
    status="amended",
    pseudonym="CS-7F3K",
    author="Prof. Dr. Deniz Yıldırım",
    specialty="Head and neck surgery",
    signed_at=datetime(2026, 3, 2, 6, 30, tzinfo=UTC),
    conclusion="The diagnosis is confirmed; the plan should change.",
    sections=(),
)

WRITTEN = {
    "diagnostic_report.json": diagnostic_report_to_fhir(
        REPORT,
        patient_reference={"reference": "Patient/77", "identifier": {"system": "urn:mrn", "value": "4711"}},
        business_identifier=Identifier("https://consilium.example/fhir/sid/report", "r1"),
        order=Identifier("https://clinic.example/orders", "ORD-1"),
        institution="Consilium Centre",
        rendition=Rendition(html=b"<!doctype html><title>x</title>", pdf=b"%PDF-1.7\n"),
        study_instance_uids=("1.2.826.0.1.3680043.8.498.1",),
    ),
    "imaging_study.json": imaging_study_to_fhir(STUDY, INSTANCES, CASE),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_it_is_written_as_in_the_golden_file(name: str) -> None:
    assert WRITTEN[name] == json.loads((FOLDER / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", WRITTEN)
def test_the_golden_file_is_r4(name: str) -> None:
    golden = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    check_resource(golden, (golden["resourceType"],))
    read = get_fhir_model_class(golden["resourceType"]).model_validate(golden)
    assert json.loads(read.model_dump_json()).keys() == golden.keys()


def test_a_report_says_nothing_of_the_pseudonym() -> None:
    assert REPORT.pseudonym not in json.dumps(WRITTEN["diagnostic_report.json"])
