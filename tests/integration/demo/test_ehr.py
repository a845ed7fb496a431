"""The demo's EHR on a real port, and the gateway's own client towards it."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.ehr import Ehr
from gateway.demo.resources import MRN_SYSTEM, patient_resource
from gateway.domain.errors import Permanent
from gateway.domain.party import FhirAddress, Identifier
from tests.integration.demo.scenery import CASE, PDF
from workers.ehr.client import Wiring
from workers.ehr.report import deliver_report

PATIENT = Identifier(MRN_SYSTEM, CASE.record_number)
REPORT = Identifier("https://consilium.example/sid/report", "a|b,c")


@pytest.fixture
def ehr(tmp_path: Path) -> Iterator[Ehr]:
    """An EHR that knows the demo's patient."""
    ehr = Ehr(tmp_path / "ehr", patient_resource(CASE))
    ehr.start()
    yield ehr
    ehr.stop()


def test_a_report_is_there_once_with_its_pdf_as_a_file(ehr: Ehr) -> None:
    first, second = _deliver(ehr), _deliver(ehr)
    [stored] = ehr.reports()
    assert stored["subject"]["reference"] == f"Patient/{ehr.patient_id}"
    assert ehr.pdf_file(stored).read_bytes() == PDF
    assert first.status == "HTTP 201"
    assert (second.status, second.reference) == ("HTTP 200", first.reference)


def test_knows_no_other_patient(ehr: Ehr) -> None:
    with pytest.raises(Permanent, match="knows no Patient"):
        _deliver(ehr, patient=Identifier(MRN_SYSTEM, "MRN-9"))
    assert ehr.reports() == []


def test_nobody_comes_in_without_the_token(ehr: Ehr) -> None:
    assert httpx.get(f"{ehr.base_url}/metadata").status_code == 200
    assert httpx.get(f"{ehr.base_url}/Patient/{ehr.patient_id}").status_code == 401
    refused = httpx.post(f"{ehr.base_url}/DiagnosticReport", json=_report({}))
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (401, "login")
    assert ehr.token_file.stat().st_mode & 0o777 == 0o600


def test_refuses_a_report_without_pdf_or_of_another_patient(ehr: Ehr) -> None:
    headers = {"Authorization": f"Bearer {ehr.token_file.read_text()}"}
    complete = _report({"reference": f"Patient/{ehr.patient_id}"})
    other: dict[str, Any] = {"subject": {"reference": "Patient/other"}}
    wrongs: list[dict[str, Any]] = [other, {"presentedForm": []}, {"resourceType": "Observation"}]
    for wrong in wrongs:
        answer = httpx.post(f"{ehr.base_url}/DiagnosticReport", json=complete | wrong, headers=headers)
        assert answer.status_code == 422
    assert ehr.reports() == []


def _deliver(ehr: Ehr, patient: Identifier = PATIENT) -> Any:
    address = FhirAddress(ehr.base_url, token_file=str(ehr.token_file))
    return deliver_report(
        address,
        _report,
        identifier=REPORT,
        patient_identifiers=[patient],
        before_send=lambda: None,
        wiring=Wiring(lambda: datetime.now(UTC)),
    )


def _report(patient: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": REPORT.system, "value": REPORT.value}],
        "status": "final",
        "code": {"text": "Consult note"},
        "subject": patient,
        "presentedForm": [{"contentType": "application/pdf", "data": base64.b64encode(PDF).decode()}],
    }
