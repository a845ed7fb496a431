"""DocumentReference -> a document of a case.

https://hl7.org/fhir/R4/documentreference.html

| FHIR path                                  | becomes           | required  | note                                         |
| ------------------------------------------ | ----------------- | --------- | -------------------------------------------- |
| DocumentReference.status                   | -                 | yes       | current                                      |
| DocumentReference.docStatus                | -                 | no        | absent, final or amended                     |
| DocumentReference.subject                  | patient_reference | yes       | Patient/id                                   |
| DocumentReference.context.related          | order_reference   | yes       | exactly one ServiceRequest/id                |
| DocumentReference.type                     | loinc             | yes       | exactly one LOINC code                       |
| DocumentReference.context.period.start     | clinical_date     | or date   | first choice: what the document speaks of    |
| DocumentReference.date                     | clinical_date     | or period | second choice                                |
| DocumentReference.content                  | -                 | yes       | exactly one                                  |
| DocumentReference.content.attachment       | data, binary_url  | yes       | application/pdf; exactly one of data and url |
| DocumentReference.content.attachment.size  | -                 | no        | has to agree with data                       |
| DocumentReference.content.attachment.hash  | -                 | no        | SHA-1 (R4), has to agree with data           |
| DocumentReference.content.attachment.title | title             | no        | else description, else the type as read      |
"""

import base64
import hashlib
from datetime import date
from typing import Any

from fhir_mappings.codes import LOINC, codes_of, concept_label
from fhir_mappings.links import required_literal
from fhir_mappings.primitives import decode_base64, read_day
from fhir_mappings.references import target_type
from fhir_mappings.validation import check_resource
from gateway.domain.case import IncomingDocument
from gateway.domain.errors import Unprocessable

PDF = "application/pdf"
_PDF_MAGIC = b"%PDF-"
_ATTACHMENT = "DocumentReference.content[0].attachment"


def document_from_fhir(resource: dict[str, Any], *, max_size_bytes: int) -> IncomingDocument:
    """The document that a resource describes, with its bytes when they came inline, checked.

    Raises:
        Invalid: not a DocumentReference of R4.
        Unprocessable: R4, and not a document as the table above asks for; larger than `max_size_bytes`; not a PDF.
    """
    check_resource(resource, ("DocumentReference",))
    if resource.get("status") != "current":
        raise Unprocessable("the document has to be current", at="DocumentReference.status")
    if resource.get("docStatus", "final") not in ("final", "amended"):
        raise Unprocessable("the document has to be final or amended", at="DocumentReference.docStatus")
    loinc = codes_of(resource.get("type", {}), LOINC)
    if len(loinc) != 1:
        raise Unprocessable("exactly one LOINC code is required", at="DocumentReference.type")
    if len(resource["content"]) != 1:
        raise Unprocessable("exactly one content is required", at="DocumentReference.content")
    attachment = resource["content"][0]["attachment"]
    data, binary_url = _content(attachment, max_size_bytes)
    patient_reference, order_reference = patient_and_order(resource)
    return IncomingDocument(
        patient_reference=patient_reference,
        order_reference=order_reference,
        loinc=loinc[0],
        title=attachment.get("title")
        or resource.get("description")
        or concept_label(resource["type"])
        or f"LOINC {loinc[0]}",
        clinical_date=_clinical_date(resource),
        data=data,
        binary_url=binary_url,
    )


def patient_and_order(resource: dict[str, Any]) -> tuple[str, str]:
    """`Patient/id` and `ServiceRequest/id` of a document, without reading its content. Raises Unprocessable."""
    patient_reference = required_literal(resource.get("subject", {}), "Patient", at="DocumentReference.subject")
    return patient_reference, _order_reference(resource)


def check_pdf(data: bytes, *, max_size_bytes: int, at: str) -> None:
    """Do nothing when the bytes may be a PDF and are not too many; also for a Binary that a document points to.

    Only the first bytes are looked at (ISO 32000-1 7.5.2): this does not promise that the file opens.
    """
    if len(data) > max_size_bytes:
        raise Unprocessable(f"the document may have at most {max_size_bytes} bytes", at=at)
    if not data.startswith(_PDF_MAGIC):
        raise Unprocessable("the document says it is a PDF and does not begin like one", at=at)


def _order_reference(resource: dict[str, Any]) -> str:
    related = resource.get("context", {}).get("related", [])
    literals = [item for item in related if target_type(item.get("reference", "")) == "ServiceRequest"]
    if len(literals) != 1:
        raise Unprocessable("exactly one ServiceRequest is required", at="DocumentReference.context.related")
    return required_literal(literals[0], "ServiceRequest", at="DocumentReference.context.related")


def _clinical_date(resource: dict[str, Any]) -> date:
    period = resource.get("context", {}).get("period", {})
    if "start" in period:
        return read_day(period["start"], at="DocumentReference.context.period.start")
    if "date" in resource:
        return read_day(resource["date"], at="DocumentReference.date")
    raise Unprocessable("context.period.start or date is required", at="DocumentReference.date")


def _content(attachment: dict[str, Any], max_size_bytes: int) -> tuple[bytes | None, str]:
    if attachment.get("contentType") != PDF:
        raise Unprocessable(f"the content has to be {PDF}", at=f"{_ATTACHMENT}.contentType")
    if ("data" in attachment) == ("url" in attachment):
        raise Unprocessable("exactly one of data and url is required", at=_ATTACHMENT)
    if "url" in attachment:
        url = str(attachment["url"])
        if target_type(url) != "Binary" and not url.startswith("urn:uuid:"):
            raise Unprocessable("the url has to be that of a Binary", at=f"{_ATTACHMENT}.url")
        return None, url
    return _inline(attachment, max_size_bytes), ""


def _inline(attachment: dict[str, Any], max_size_bytes: int) -> bytes:
    data = decode_base64(attachment["data"]) or b""
    check_pdf(data, max_size_bytes=max_size_bytes, at=f"{_ATTACHMENT}.data")
    if attachment.get("size", len(data)) != len(data):
        raise Unprocessable("the size is not that of the data", at=f"{_ATTACHMENT}.size")
    sha1 = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    if attachment.get("hash", sha1) != sha1:
        raise Unprocessable("the hash is not the SHA-1 of the data", at=f"{_ATTACHMENT}.hash")
    return data
