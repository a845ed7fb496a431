"""What the clinic does in the demo: its EHR orders the opinion, its PACS sends the study."""

from pathlib import Path

from gateway.demo.fhir_client import FhirClient
from gateway.demo.places import written
from gateway.demo.resources import clinic_bundle
from gateway.demo.stage import Stage


def order(stage: Stage, clinic: FhirClient) -> tuple[str, str]:
    """The EHR posts the case as one transaction; gives the ids of the case and of the document."""
    case, screen = stage.cast.case, stage.screen
    screen.step("The clinic's EHR orders the opinion: one transaction Bundle over HTTP")
    became = clinic.transact(clinic_bundle(case, stage.papers.pathology_pdf))
    screen.facts(
        {
            "patient": f"{case.given} {case.family}, {case.birth_date}, record {case.record_number}",
            "posted to": clinic.fhir_url,
            "order": became["ServiceRequest"],
            "consents": "two: disclose to the reviewer, return the report to the clinic",
            "pathology": f"{became['DocumentReference']}, PDF of {len(stage.papers.pathology_pdf)} bytes",
        }
    )
    return became["ServiceRequest"].split("/")[1], became["DocumentReference"].split("/")[1]


def send_study(stage: Stage) -> list[Path]:
    """The PACS sends the study in one association; gives the hospital's files."""
    hospital, screen = stage.cast.hospital, stage.screen
    screen.step("The hospital's PACS sends the CT by C-STORE")
    files = hospital.acquire(stage.papers.images)
    with screen.progress("sending", len(files)) as advance:
        count = hospital.send(files, stage.gateway.dicom, advance)
    screen.facts(
        {
            "from": written(hospital.address),
            "to": written(stage.gateway.dicom),
            "objects": f"{count}, each answered 0x0000: on disk and in the database before the answer",
            "files": files[0].parent,
        }
    )
    return files
