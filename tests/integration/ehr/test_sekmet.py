"""Reports into an EHR that nobody here wrote."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.domain.errors import Permanent
from gateway.domain.party import FhirAddress
from tests.integration.ehr.scenery import MRN, PATIENT, PDF, PDF_SHA256, REPORT, deliver, wired
from tests.peers.sekmet import Sekmet
from workers.ehr.diagnose import diagnose

REPORT_TOKEN = f"{REPORT.system}|{REPORT.value}"


@pytest.fixture(scope="module")
def running() -> Iterator[Sekmet]:
    with Sekmet() as peer:
        yield peer


@pytest.fixture(scope="module")
def patient(running: Sekmet) -> dict[str, Any]:
    return running.create(PATIENT)


def test_the_report_lives_through_its_versions(running: Sekmet, patient: dict[str, Any]) -> None:
    address = FhirAddress(running.base_url)

    first = deliver(address)
    again = deliver(address, read_back_first=True)
    amended = deliver(address, status="amended", pdf=PDF + b"2", is_amendment=True)

    (stored,) = running.search("DiagnosticReport", identifier=REPORT_TOKEN)
    assert (first.status, first.sha256) == ("HTTP 201", PDF_SHA256)
    assert again.reference == first.reference
    assert stored["status"] == "amended"
    assert stored["subject"]["reference"].endswith(f"Patient/{patient['id']}")
    assert amended.reference == f"DiagnosticReport/{stored['id']}/_history/2"


def test_the_connection_test_passes(running: Sekmet) -> None:
    steps = diagnose(FhirAddress(running.base_url), wiring=wired())

    assert all(step.is_ok for step in steps)
    assert "SEKMET" in next(step.detail for step in steps if step.name == "metadata")


def test_its_console_is_not_a_fhir_server(running: Sekmet) -> None:
    address = FhirAddress(running.base_url.removesuffix("/fhir") + "/ui")

    with pytest.raises(Permanent):
        deliver(address)
    last = diagnose(address, wiring=wired())[-1]
    assert (last.name, last.is_ok) == ("metadata", False)


def test_no_patient_number_stands_in_its_access_log(running: Sekmet, patient: dict[str, Any]) -> None:
    deliver(FhirAddress(running.base_url), status="amended", pdf=PDF + b"2", is_amendment=True)

    assert "/fhir/Patient/_search" in running.process.log()
    assert MRN.value not in running.process.log()
