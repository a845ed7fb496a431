"""Who plays in the demo: the hospital with PACS and EHR, the reviewer, the patient's case, and the papers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from gateway.demo.documents import pathology_report, redacted_pathology_report
from gateway.demo.ehr import Ehr
from gateway.demo.hospital import Hospital
from gateway.demo.images import ct_series
from gateway.demo.resources import CaseData, patient_resource
from gateway.demo.reviewer import Reviewer
from gateway.domain.party import Identifier

CLINIC_NAME, REVIEWER_NAME = "ankara", "yildirim"
_PAPERS_ARE_OLD = timedelta(days=12)
_IMAGES_ARE_OLD = timedelta(days=5)


@dataclass(frozen=True)
class Cast:
    """The peers, listening between `enter` and `leave`, over subfolders of the demo's folder."""

    folder: Path
    case: CaseData
    hospital: Hospital
    ehr: Ehr
    reviewer: Reviewer

    def enter(self) -> None:
        """Everybody listens."""
        for peer in (self.hospital, self.ehr, self.reviewer):
            peer.start()

    def leave(self) -> None:
        """Everybody hangs up; who never came in has nothing to do."""
        for peer in (self.hospital, self.ehr, self.reviewer):
            peer.stop()


@dataclass(frozen=True)
class Papers:
    """What is generated beforehand: the images, the pathology report and its redacted version."""

    images: list[FileDataset]
    pathology_pdf: bytes
    redacted_pdf: bytes


def demo_case(today: date) -> CaseData:
    """A made-up patient whose name has Turkish letters, with fresh UIDs and numbers at each run."""
    return CaseData(
        family="Öztürk",
        given="Ayşe Işıl",
        birth_date=date(1967, 4, 21),
        gender="female",
        record_number="MRN-0048151",
        order_number=f"ORD-{today:%Y%m%d}-1",
        study_instance_uid=generate_uid(),
        accession_number=f"ACC-{today:%Y%m%d}",
        clinic=Identifier("urn:oid:2.16.792.1.2.3", "ankara-demo-hospital"),
        reviewer=Identifier("https://reviewer.example/id", "prof-yildirim"),
        paper_date=today - _PAPERS_ARE_OLD,
    )


def gather(folder: Path, case: CaseData) -> Cast:
    """The peers, not listening yet."""
    ehr = Ehr(folder / "ehr", patient_resource(case))
    return Cast(folder, case, Hospital(folder / "hospital"), ehr, Reviewer(folder / "reviewer"))


def prepare(case: CaseData, now: datetime | None = None) -> Papers:
    """Generate what the hospital has; takes about two seconds."""
    acquired_at = (now or datetime.now(UTC)) - _IMAGES_ARE_OLD
    return Papers(ct_series(case, acquired_at), pathology_report(case), redacted_pathology_report(case))
