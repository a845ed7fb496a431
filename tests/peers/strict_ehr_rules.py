"""What the strict EHR demands of a resource before it stores it.

R4 DiagnosticReport: https://hl7.org/fhir/R4/diagnosticreport.html; JSON: https://hl7.org/fhir/R4/json.html.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from tests.peers.strict_ehr_records import Records, Refusal, Resource

_STATUSES = frozenset(
    {
        "registered",
        "partial",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "appended",
        "cancelled",
        "entered-in-error",
        "unknown",
    }
)
_ANY_RESOURCE = {"resourceType", "id", "meta", "implicitRules", "language"}
_ANY_DOMAIN_RESOURCE = {"text", "contained", "extension", "modifierExtension"}
_REPORT_ELEMENTS = {
    "identifier",
    "basedOn",
    "status",
    "category",
    "code",
    "subject",
    "encounter",
    "effectiveDateTime",
    "effectivePeriod",
    "issued",
    "performer",
    "resultsInterpreter",
    "specimen",
    "result",
    "imagingStudy",
    "media",
    "conclusion",
    "conclusionCode",
    "presentedForm",
}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_OWN_TYPES = ("Patient", "ServiceRequest")


def check(resource: Resource, records: Records) -> None:
    """Raise Refusal 400 for what is not R4, 422 for what names somebody or something unknown here."""
    if found := list(_empty_values(resource, resource["resourceType"])):
        raise Refusal(400, "structure", *found)
    if resource["resourceType"] == "DiagnosticReport":
        _refuse(400, "structure", _structure_issues(resource))
        _refuse(422, "required", _missing_elements(resource))
        _refuse(422, "invalid", _form_issues(resource))
    _refuse(422, "not-found", _unresolved_references(resource, records))
    _refuse(422, "business-rule", _order_issues(resource, records))


def _refuse(status: int, code: str, issues: Iterator[str]) -> None:
    if found := list(issues):
        raise Refusal(status, code, *found)


def _empty_values(value: Any, path: str) -> Iterator[str]:
    """FHIR JSON has no empty arrays, objects or strings; null only inside an array of primitives."""
    if value is None or value in ("", [], {}):
        yield f"{path} is empty"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _empty_values(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if inner is not None:
                yield from _empty_values(inner, f"{path}[{index}]")


def _structure_issues(report: Resource) -> Iterator[str]:
    known = _ANY_RESOURCE | _ANY_DOMAIN_RESOURCE | _REPORT_ELEMENTS
    for name in report:
        if name.removeprefix("_") not in known:
            yield f"DiagnosticReport.{name} is not an element of R4"
    for name in ("identifier", "basedOn", "category", "performer", "resultsInterpreter", "presentedForm"):
        if name in report and not isinstance(report[name], list):
            yield f"DiagnosticReport.{name} is a list"
    if "effectiveDateTime" in report and "effectivePeriod" in report:
        yield "DiagnosticReport.effective[x] is there twice"
    if "issued" in report and not _INSTANT.fullmatch(str(report["issued"])):
        yield "DiagnosticReport.issued is no instant"
    if "status" in report and report["status"] not in _STATUSES:
        yield "DiagnosticReport.status is not a code of its value set"


def _missing_elements(report: Resource) -> Iterator[str]:
    for name in ("status", "code", "subject"):
        if name not in report:
            yield f"DiagnosticReport.{name} is missing"
    if "code" in report and not report["code"].keys() & {"coding", "text"}:
        yield "DiagnosticReport.code says nothing"
    for index, identifier in enumerate(report.get("identifier", [])):
        if not {"system", "value"} <= identifier.keys():
            yield f"DiagnosticReport.identifier[{index}] lacks system or value"


def _form_issues(report: Resource) -> Iterator[str]:
    """Attachment: att-1, and size and hash (SHA-1 in R4) that fit the data."""
    for index, form in enumerate(report.get("presentedForm", [])):
        path = f"DiagnosticReport.presentedForm[{index}]"
        if "data" not in form:
            continue
        if "contentType" not in form:
            yield f"{path} has data and no contentType"
        try:
            data = base64.b64decode(form["data"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            yield f"{path}.data is not base64"
            continue
        if "size" in form and form["size"] != len(data):
            yield f"{path}.size does not fit the data"
        if "hash" in form and form["hash"] != base64.b64encode(hashlib.sha1(data).digest()).decode():
            yield f"{path}.hash does not fit the data"
        if form.get("contentType") == "application/pdf" and not data.startswith(b"%PDF-"):
            yield f"{path} is not a PDF"


def _unresolved_references(resource: Resource, records: Records) -> Iterator[str]:
    contained = {each.get("id") for each in resource.get("contained", [])}
    for path, reference in _references(resource, resource["resourceType"]):
        literal = str(reference.get("reference", ""))
        must_be_ours = path.endswith(".subject") or ".basedOn[" in path
        if literal.startswith("#"):
            if must_be_ours or literal[1:] not in contained:
                yield f"{path}: nothing here by that reference"
            continue
        is_relative = bool(literal) and "://" not in literal
        if (is_relative or must_be_ours) and resolve(reference, records) is None:
            yield f"{path}: nothing here by that reference or identifier"


def _order_issues(resource: Resource, records: Records) -> Iterator[str]:
    orders = [resolve(each, records) for each in resource.get("basedOn", [])]
    subject = resolve(resource.get("subject", {}), records)
    for order in orders:
        if order and resolve(order.get("subject", {}), records) != subject:
            yield "the order belongs to another patient"


def resolve(reference: Resource, records: Records) -> Resource | None:
    """The resource that a reference means on this server, by relative URL, else by exactly one identifier match."""
    literal = str(reference.get("reference", ""))
    if literal:
        kind, _, resource_id = literal.partition("/")
        return records.get(kind, resource_id)
    identifier = reference.get("identifier", {})
    token = f"{identifier.get('system', '')}|{identifier.get('value', '')}"
    found = [each for kind in _OWN_TYPES for each in records.search(kind, [("identifier", token)])]
    return found[0] if identifier.get("value") and len(found) == 1 else None


def _references(value: Any, path: str) -> Iterator[tuple[str, Resource]]:
    if isinstance(value, dict):
        if _is_reference(value, path):
            yield path, value
        for name, inner in value.items():
            yield from _references(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _references(inner, f"{path}[{index}]")


def _is_reference(value: Resource, path: str) -> bool:
    """A Reference is told by its literal, or by where it stands when it has an identifier only."""
    return "reference" in value or (
        "resourceType" not in value and "identifier" in value and path.endswith((".subject", "]"))
    )
