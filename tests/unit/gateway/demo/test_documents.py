"""The generated papers: one names the patient, the redacted one nobody."""

from datetime import date
from io import BytesIO

from pypdf import PdfReader

from gateway.demo.cast import demo_case
from gateway.demo.documents import pathology_report, redacted_pathology_report

CASE = demo_case(date(2026, 3, 2))


def test_the_pathology_report_names_the_patient() -> None:
    text = _text(pathology_report(CASE))
    assert "Ayşe Işıl Öztürk" in text
    assert CASE.record_number in text
    assert "squamous cell carcinoma" in text


def test_the_redacted_one_has_the_findings_and_nobody() -> None:
    pdf = redacted_pathology_report(CASE)
    text = _text(pdf)
    assert "squamous cell carcinoma" in text
    for identity in ("Öztürk", "Ayşe", CASE.record_number, "1967"):
        assert identity not in text
    assert not {str(value) for value in (PdfReader(BytesIO(pdf)).metadata or {}).values()} & {"Öztürk", "Ayşe"}


def _text(pdf: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
