"""The way back in the demo: the reviewer's report becomes a report in the clinic's EHR and PACS."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.cast import Cast
from gateway.demo.comparison import pdf_inside
from gateway.demo.fhir_client import FhirClient
from gateway.demo.resources import report_bundle
from gateway.demo.stage import Stage
from gateway.demo.waiting import StepFailed

_REPORT_WITHIN_S = 60.0


def report(stage: Stage, reviewer: FhirClient, pseudonym: str) -> None:
    """The reviewer writes about the pseudonym, knowing nothing else."""
    stage.screen.step("The reviewer's client posts the report against the pseudonym in the images")
    now = datetime.now(UTC)
    became = reviewer.transact(report_bundle(pseudonym, number=f"R-{now:%Y%m%d%H%M%S}", signed_at=now))
    stage.screen.facts(
        {
            "pseudonym": pseudonym,
            "report": f"{became['DiagnosticReport']} and {became['Composition']} with eight sections",
        }
    )


def receive_report(stage: Stage, case_id: str) -> None:
    """Wait for the report in the EHR and in the PACS."""
    cast, screen = stage.cast, stage.screen
    screen.step("Consent to return is decided; the report goes to the EHR and into the original study in the PACS")
    stage.wait(
        case_id,
        lambda: cast.ehr.reports() and _in_archive(cast),
        waiting_for="the report in the EHR and in the PACS",
        within_s=_REPORT_WITHIN_S,
    )
    [received], [archived] = cast.ehr.reports(), _in_archive(cast)
    pdf = cast.ehr.pdf_file(received)
    if pdf_inside(archived) != pdf.read_bytes():
        raise StepFailed("the EHR and the PACS have different PDFs")
    screen.facts(
        {
            "in the EHR": f"{cast.ehr.base_url}/DiagnosticReport/{received['id']} ({received['status']})",
            "its PDF": pdf,
            "sha256": hashlib.sha256(pdf.read_bytes()).hexdigest(),
            "in the PACS": archived,
        }
    )


def _in_archive(cast: Cast) -> list[Path]:
    return cast.hospital.reports(cast.case.study_instance_uid)
