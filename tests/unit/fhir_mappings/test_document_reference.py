import base64
import hashlib
from datetime import date

import pytest

from fhir_mappings.document_reference import check_pdf, document_from_fhir
from gateway.domain.case import IncomingDocument
from gateway.domain.errors import Unprocessable
from tests.unit.fhir_mappings.samples import PDF, changed, document_reference

ATTACHMENT = "content[0].attachment"


def test_the_document_holds_its_bytes_and_its_clinical_date() -> None:
    assert document_from_fhir(document_reference(), max_size_bytes=1000) == IncomingDocument(
        patient_reference="Patient/p1",
        order_reference="ServiceRequest/o1",
        loinc="11526-1",
        title="Pathology study",
        clinical_date=date(2026, 2, 11),
        data=PDF,
        binary_url="",
    )


def test_the_period_that_is_documented_comes_before_the_date_of_the_entry() -> None:
    resource = changed(document_reference(), "context.period", {"start": "2026-01-30"})
    assert document_from_fhir(resource, max_size_bytes=1000).clinical_date == date(2026, 1, 30)


def test_the_bytes_may_be_in_a_binary() -> None:
    attachment = {"contentType": "application/pdf", "url": "Binary/b1", "title": "Biopsy"}
    document = document_from_fhir(changed(document_reference(), ATTACHMENT, attachment), max_size_bytes=10)
    assert (document.data, document.binary_url, document.title) == (None, "Binary/b1", "Biopsy")


def test_a_right_hash_is_accepted() -> None:
    sha1 = base64.b64encode(hashlib.sha1(PDF).digest()).decode()
    resource = changed(document_reference(), f"{ATTACHMENT}.hash", sha1)
    assert document_from_fhir(resource, max_size_bytes=1000).data == PDF


@pytest.mark.parametrize(
    ("path", "value", "at"),
    [
        ("status", "superseded", "status"),
        ("docStatus", "preliminary", "docStatus"),
        ("subject", ..., "subject"),
        ("subject", {"reference": "Group/1"}, "subject"),
        ("context", ..., "context.related"),
        ("context.related", [{"reference": "ImagingStudy/1"}], "context.related"),
        (
            "context.related",
            [{"reference": "ServiceRequest/1"}, {"reference": "ServiceRequest/2"}],
            "context.related",
        ),
        ("type", ..., "type"),
        ("type", {"text": "Pathology"}, "type"),
        ("date", ..., "date"),
        ("content", [{"attachment": {"title": "a"}}, {"attachment": {"title": "b"}}], "content"),
        (f"{ATTACHMENT}.contentType", "image/jpeg", f"{ATTACHMENT}.contentType"),
        (f"{ATTACHMENT}.url", "Binary/1", ATTACHMENT),
        (f"{ATTACHMENT}.data", ..., ATTACHMENT),
        (f"{ATTACHMENT}.data", base64.b64encode(b"\xff\xd8\xff JPEG").decode(), f"{ATTACHMENT}.data"),
        (f"{ATTACHMENT}.data", base64.b64encode(PDF + bytes(1000)).decode(), f"{ATTACHMENT}.data"),
        (f"{ATTACHMENT}.size", 3, f"{ATTACHMENT}.size"),
        (f"{ATTACHMENT}.hash", "AAAA", f"{ATTACHMENT}.hash"),
        (
            ATTACHMENT,
            {"contentType": "application/pdf", "url": "https://elsewhere.example/x.pdf"},
            f"{ATTACHMENT}.url",
        ),
    ],
)
def test_what_is_no_document_of_a_case_is_refused(path: str, value: object, at: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        document_from_fhir(changed(document_reference(), path, value), max_size_bytes=1000)
    assert refusal.value.at == f"DocumentReference.{at}"


def test_a_binary_is_held_to_the_same_rule() -> None:
    check_pdf(PDF, max_size_bytes=1000, at="Binary.data")
    with pytest.raises(Unprocessable):
        check_pdf(b"MZ" + PDF, max_size_bytes=1000, at="Binary.data")
