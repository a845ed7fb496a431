"""The patient, the order and the report that every test here sends, and how it sends them."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from gateway.domain.delivery import Receipt
from gateway.domain.party import FhirAddress, Identifier
from workers.ehr.client import Wiring
from workers.ehr.exchange import Limits
from workers.ehr.report import deliver_report

REPORT = Identifier("https://consilium.example/fhir/report", "r-2026-1")
MRN = Identifier("urn:oid:2.16.840.1.113883.3.1", "MRN-4711")
PDF = b"%PDF-1.7\nthe identified rendition\n%%EOF\n"
PDF_SHA256 = hashlib.sha256(PDF).hexdigest()
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": MRN.system, "value": MRN.value}],
    "name": [{"family": "Öztürk", "given": ["Ayşe"]}],
    "birthDate": "1971-04-12",
}
HASTY = Limits(connect_timeout_s=2.0, read_timeout_s=0.5, total_timeout_s=5.0)


def report(subject: dict[str, Any], status: str, pdf: bytes) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": REPORT.system, "value": REPORT.value}],
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "11488-4"}]},
        "subject": subject,
        "issued": "2026-03-01T12:00:00Z",
        "presentedForm": [{"contentType": "application/pdf", "data": base64.b64encode(pdf).decode()}],
    }


def wired(limits: Limits | None = None) -> Wiring:
    """To the network, by the machine's clock."""
    return Wiring(lambda: datetime.now(UTC), limits=limits or Limits())


def deliver(
    address: FhirAddress, *, status: str = "final", pdf: bytes = PDF, limits: Limits | None = None, **more: Any
) -> Receipt:
    """Deliver the report with an id of ours and a grant that holds, unless told otherwise."""
    options = {
        "before_send": lambda: None,
        "resource_id": "consilium-r-2026-1",
        "wiring": wired(limits),
        **more,
    }
    return deliver_report(
        address,
        lambda subject: report(subject, status, pdf),
        identifier=REPORT,
        patient_identifiers=[MRN],
        **options,
    )
