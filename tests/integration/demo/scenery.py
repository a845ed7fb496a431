"""The demo's case, and papers small enough for a test."""

from datetime import UTC, date, datetime

from pydicom.dataset import FileDataset
from pydicom.uid import EncapsulatedPDFStorage

from dicom_node.encapsulated_pdf import ObjectReference, PdfDocument, StudyIdentity, build_encapsulated_pdf
from gateway.demo.cast import demo_case
from gateway.demo.images import ct_series

CASE = demo_case(date(2026, 3, 2))
PDF = b"%PDF-1.7\n%a report\n%%EOF\n"
REPORT = ObjectReference(CASE.study_instance_uid, "1.2.3.4.5", str(EncapsulatedPDFStorage), "1.2.3.4.5.6")


def images(slices: int = 3) -> list[FileDataset]:
    """A short series of the case."""
    return ct_series(CASE, datetime(2026, 2, 20, 10, 15, tzinfo=UTC), slices)


def report_object(*, patient_id: str = CASE.record_number, study_uid: str = CASE.study_instance_uid) -> bytes:
    """A report as Encapsulated PDF for that patient and study."""
    uids = (REPORT.series_instance_uid, REPORT.sop_instance_uid)
    document = PdfDocument(PDF, "Second opinion", datetime(2026, 3, 2, 9, tzinfo=UTC), *uids)
    return build_encapsulated_pdf(document, StudyIdentity(study_uid, patient_id))
