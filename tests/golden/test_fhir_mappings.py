"""What the gateway writes in FHIR, whole. The fhir.resources classes have to read each golden file as well."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_mappings.audit_event import Site, audit_event_to_fhir
from fhir_mappings.diagnostic_report import diagnostic_report_to_fhir
from fhir_mappings.imaging_study import imaging_study_to_fhir
from fhir_mappings.reviewed import order_for_review, reviewed_document, reviewed_order, reviewed_study
from fhir_mappings.validation import check_resource
from gateway.domain.party import Identifier
from gateway.domain.report import Rendition, Report
from gateway.domain.review import ReviewedDocument, ReviewedObject, ReviewedStudy
from tests.unit.fhir_mappings.audit_records import AUDIT_RECORDS
from tests.unit.fhir_mappings.catalogue import CASE, INSTANCES, STUDY

OWN_URL = "https://gateway.example/fhir"
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

ORDER = {
    "resourceType": "ServiceRequest",
    "id": "o1",
    "identifier": [{"system": "https://clinic.example/orders", "value": "ORD-1"}],
    "status": "active",
    "intent": "order",
    "priority": "urgent",
    "authoredOn": "2026-01-05",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "103696004", "display": "x"}], "text": "x"},
    "subject": {"reference": "Patient/77"},
    "requester": {"reference": "Organization/12"},
    "reasonCode": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0336", "code": "S"}], "text": "x"},
        {"coding": [{"system": "https://clinic.example/reasons", "code": "4711"}]},
        {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C02.1"}]},
        {"coding": [{"system": "http://loinc.org", "code": "4711"}]},
    ],
}
REVIEWED = ReviewedStudy(
    pseudonym="CS7F3K222222",
    accession_number="AC7F3K222222",
    study_instance_uid="2.25.1",
    objects=(
        ReviewedObject("2.25.11", "2.25.111", "1.2.840.10008.5.1.4.1.1.2", "CT"),
        ReviewedObject("2.25.12", "2.25.121", "1.2.840.10008.5.1.4.1.1.128", "PT"),
        ReviewedObject("2.25.11", "2.25.112", "1.2.840.10008.5.1.4.1.1.2", "CT"),
        ReviewedObject("2.25.13", "2.25.131", "1.2.840.10008.5.1.4.1.1.7", ""),
    ),
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
    **{
        f"audit_event_{name}.json": audit_event_to_fhir(one, Site(OWN_URL), str(one.id))
        for name, one in AUDIT_RECORDS.items()
    },
    "reviewed_order.json": reviewed_order(order_for_review(ORDER, "CS7F3K222222")),
    "reviewed_study.json": reviewed_study(REVIEWED),
    "reviewed_document.json": reviewed_document(
        ReviewedDocument("CS7F3K222222", "AC7F3K222222", "2.25.3", "11526-1", "Clinical document")
    ),
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
