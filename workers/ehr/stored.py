"""The report as the EHR holds it: found, read back, and compared with what was meant to be there."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from fhir_mappings.primitives import ID
from gateway.domain.errors import Invalid, Permanent
from gateway.domain.party import Identifier
from workers.ehr.answer import Answer, Resource
from workers.ehr.client import AS_IT_IS_NOW, Call, Session
from workers.ehr.search import has_identifier

PDF = "application/pdf"
_FETCHED_ATTACHMENTS = 4
_LOCATION = re.compile(r"DiagnosticReport/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?/?$")
_BINARY = re.compile(r"(?:^|/)(Binary/[A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$")
_ETAG = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')


@dataclass(frozen=True)
class Expected:
    """What has to be in the EHR in the end."""

    resource: Resource
    identifier: Identifier
    pdf_sha256: str


@dataclass(frozen=True)
class Stored:
    """A DiagnosticReport that the EHR showed. `version` is empty where it keeps none."""

    resource: Resource
    id: str
    version: str

    @property
    def reference(self) -> str:
        """`DiagnosticReport/<id>/_history/<version>`, or without a version."""
        return f"DiagnosticReport/{self.id}" + (f"/_history/{self.version}" if self.version else "")


def expect_report(resource: Resource, identifier: Identifier) -> Expected:
    """Check that a built report can be delivered and recognised again.

    Raises: Invalid when it is no DiagnosticReport, lacks `identifier` or status, or does not hold exactly one PDF.
    """
    if resource.get("resourceType") != "DiagnosticReport" or not resource.get("status"):
        raise Invalid("Only a DiagnosticReport with a status is delivered.", at="DiagnosticReport.status")
    if not has_identifier(resource, identifier):
        raise Invalid("The report lacks its business identifier.", at="DiagnosticReport.identifier")
    pdfs = [each for each in _attachments(resource) if each.get("contentType") == PDF and "data" in each]
    data = _decode(pdfs[0].get("data")) if len(pdfs) == 1 else None
    if not data:
        raise Invalid("The report has to hold exactly one PDF as data.", at="DiagnosticReport.presentedForm")
    return Expected(resource, identifier, hashlib.sha256(data).hexdigest())


def stored_report(resource: Resource, etag: str = "") -> Stored:
    """A report as shown by the EHR. Raises: Permanent when its id is none."""
    report_id = resource.get("id")
    if not isinstance(report_id, str) or not ID.fullmatch(report_id):
        raise Permanent("The EHR answered with a DiagnosticReport without a valid id.")
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if not isinstance(version, str) or not ID.fullmatch(version):
        match = _ETAG.fullmatch(etag.strip())
        version = match.group(1) if match else ""
    return Stored(resource, report_id, version)


def read_report(session: Session, report_id: str) -> Stored | None:
    """GET the present version; None where the EHR has none (404). Raises: Permanent where it was deleted (410)."""
    answer = session.send(
        Call("GET", f"DiagnosticReport/{report_id}", headers=AS_IT_IS_NOW, tolerated=frozenset({404}))
    )
    if answer.status == 404:
        return None
    found = stored_report(answer.expect("DiagnosticReport"), answer.headers.get("etag", ""))
    if found.id != report_id:
        raise Permanent("The EHR answered a read with another DiagnosticReport.")
    return found


def written_id(answer: Answer) -> str:
    """The id in the Location of a write, else in its body, else empty. The host in a Location is never believed."""
    match = _LOCATION.search(answer.headers.get("location", ""))
    if match:
        return match.group(1)
    body = answer.resource() or {}
    report_id = body.get("id") if body.get("resourceType") == "DiagnosticReport" else None
    return report_id if isinstance(report_id, str) and ID.fullmatch(report_id) else ""


def difference(session: Session, stored: Stored, expected: Expected) -> str:
    """What is not as sent, as the end of the sentence 'the EHR stored the report ...'; empty when all is there."""
    held = stored.resource
    if not has_identifier(held, expected.identifier):
        return "without its identifier"
    if held.get("status") != expected.resource["status"]:
        return "with another status"
    if _patient_id(expected.resource) not in ("", _patient_id(held)):
        return "under another patient" if _patient_id(held) else "without its patient"
    sums = set()
    for content in _contents(session, held):
        sums.add(hashlib.sha256(content).hexdigest())
        if expected.pdf_sha256 in sums:
            return ""
    has_pdf = any(str(each.get("contentType", "")).startswith(PDF) for each in _attachments(held))
    return "with another PDF, or with one that cannot be read" if sums or has_pdf else "without its PDF"


def _attachments(resource: Resource) -> list[Resource]:
    forms = resource.get("presentedForm")
    return [each for each in forms if isinstance(each, dict)] if isinstance(forms, list) else []


def _contents(session: Session, resource: Resource) -> Iterator[bytes]:
    """The attachments' bytes, those in the resource first, then at most a few that have to be fetched."""
    attachments = _attachments(resource)
    for attachment in attachments:
        data = _decode(attachment.get("data"))
        if data:
            yield data
    urls = [each["url"] for each in attachments if isinstance(each.get("url"), str) and "data" not in each]
    for url in urls[:_FETCHED_ATTACHMENTS]:
        content = _fetch(session, url)
        if content:
            yield content


def _fetch(session: Session, url: str) -> bytes | None:
    """An attachment from the EHR itself; another host is never asked, and never shown our token."""
    path = _path_below(session.base, url)
    if path is None:
        return None
    answer = session.send(Call("GET", path, headers={"Accept": PDF}, tolerated=frozenset({403, 404, 406, 410})))
    if not answer.is_success:
        return None
    binary = answer.resource()
    return _decode(binary.get("data")) if binary and binary["resourceType"] == "Binary" else answer.body


def _path_below(base: httpx.URL, url: str) -> str | None:
    binary = _BINARY.search(url)  # behind a proxy an EHR may name itself otherwise than we reach it
    if binary:
        return binary.group(1)
    root = f"{base}/"
    try:
        target = httpx.URL(root).join(url)
    except (httpx.InvalidURL, ValueError):
        return None
    return str(target)[len(root) :] if str(target).startswith(root) else None


def _patient_id(resource: Resource) -> str:
    subject = resource.get("subject")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    match = re.search(r"(?:^|/)Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?$", str(reference or ""))
    return match.group(1) if match else ""


def _decode(data: object) -> bytes | None:
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
