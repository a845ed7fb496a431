"""The reviewer's DiagnosticReport -> Report; Report and its rendition -> the DiagnosticReport of the clinic.

https://hl7.org/fhir/R4/diagnosticreport.html

From the reviewer, together with a Composition (see fhir_mappings.composition):

| FHIR path                                       | becomes             | required | note                                         |
| ----------------------------------------------- | ------------------- | -------- | -------------------------------------------- |
| DiagnosticReport.status                         | status              | yes      | final, amended, corrected or appended        |
| DiagnosticReport.code                           | -                   | yes      | LOINC 11488-4                                |
| DiagnosticReport.category                       | specialty           | yes      | text or display of the first one with either |
| DiagnosticReport.identifier                     | report_identifier() | or link  | of the reviewer; the same for all versions   |
| DiagnosticReport.subject                        | pseudonym           | yes      | as in Composition, and equal to it           |
| DiagnosticReport.effectiveDateTime              | -                   | no       | with time and zone                           |
| DiagnosticReport.issued                         | signed_at           | yes      |                                              |
| DiagnosticReport.conclusion                     | conclusion          | no       |                                              |
| DiagnosticReport.performer, .resultsInterpreter | -                   | no       | the author is read from Composition          |
| DiagnosticReport.basedOn, .imagingStudy         | -                   | no       | the case is found by the pseudonym           |
| DiagnosticReport.language                       | language            | no       | equal to that of Composition                 |
| DiagnosticReport.extension                      | -                   | no       | R5 cross-version link to the Composition     |

The two belong together by a shared identifier, or by a link extension that names the other's fullUrl or Type/id.

To the clinic:

| FHIR path                           | source              | required | note                                                     |
| ----------------------------------- | ------------------- | -------- | -------------------------------------------------------- |
| DiagnosticReport.language           | report.language     | yes      |                                                          |
| DiagnosticReport.identifier         | business_identifier | yes      | one for all versions: the key of a conditional create    |
| DiagnosticReport.basedOn            | order               | yes      | identifier of the clinic's own order                     |
| DiagnosticReport.status             | report.status       | yes      |                                                          |
| DiagnosticReport.category           | report.specialty    | yes      | v2-0074 OTH, text: the specialty                         |
| DiagnosticReport.code               | -                   | yes      | LOINC 11488-4                                            |
| DiagnosticReport.subject            | patient_reference   | yes      | the clinic's own patient                                 |
| DiagnosticReport.effectiveDateTime  | report.signed_at    | yes      |                                                          |
| DiagnosticReport.issued             | report.signed_at    | yes      |                                                          |
| DiagnosticReport.performer          | institution         | yes      | display                                                  |
| DiagnosticReport.resultsInterpreter | report.author       | yes      | display                                                  |
| DiagnosticReport.imagingStudy       | study_instance_uids | no       | identifier urn:dicom:uid                                 |
| DiagnosticReport.conclusion         | report.conclusion   | no       |                                                          |
| DiagnosticReport.presentedForm[0]   | rendition.pdf       | yes      | application/pdf, data, size, SHA-1 hash, title, creation |
| DiagnosticReport.presentedForm[1]   | rendition.html      | yes      | text/html, the same                                      |
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fhir_mappings.codes import (
    CONSULT_NOTE,
    DIAGNOSTIC_SERVICE_SYSTEM,
    LOINC,
    OTHER_SERVICE,
    codes_of,
    concept_label,
)
from fhir_mappings.composition import (
    author_of,
    check_accepted,
    check_composition,
    check_no_patient,
    pseudonym_of,
    sections_of,
)
from fhir_mappings.links import read_identifier, uid_identifier
from fhir_mappings.primitives import read_instant
from fhir_mappings.report_pair import check_pair
from fhir_mappings.validation import check_resource
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier
from gateway.domain.report import Rendition, Report

STATUSES = ("final", "amended", "corrected", "appended")
TITLE = "Second opinion"
_ACCEPTED = frozenset(
    (
        "resourceType",
        "id",
        "meta",
        "language",
        "text",
        "extension",
        "identifier",
        "basedOn",
        "status",
        "category",
        "code",
        "subject",
        "effectiveDateTime",
        "issued",
        "performer",
        "resultsInterpreter",
        "imagingStudy",
        "conclusion",
    )
)


def report_from_fhir(
    diagnostic_report: dict[str, Any],
    composition: dict[str, Any],
    *,
    id: str,
    version: int,
    diagnostic_report_url: str = "",
    composition_url: str = "",
    is_valid: bool = False,
) -> Report:
    """The report that the two resources are, complete and checked.

    The URLs are the fullUrls in a transaction Bundle, where there was one. `is_valid` says that `check_resource` has
    passed both resources before.

    Raises:
        Invalid: not R4, or a narrative outside the strict subset.
        Unprocessable: R4, and not a finished report of eight sections under one pseudonym as the tables ask for.
    """
    if not is_valid:
        check_resource(diagnostic_report, ("DiagnosticReport",))
        check_resource(composition, ("Composition",))
    check_composition(composition)
    _check_diagnostic_report(diagnostic_report)
    check_pair(diagnostic_report, composition, diagnostic_report_url, composition_url)
    pseudonym = pseudonym_of(diagnostic_report)
    if pseudonym_of(composition) != pseudonym:
        raise Unprocessable("report and composition speak of two patients", at="Composition.subject")
    return Report(
        id=id,
        version=version,
        status=diagnostic_report["status"],
        pseudonym=pseudonym,
        author=author_of(composition),
        specialty=_specialty(diagnostic_report),
        signed_at=read_instant(diagnostic_report.get("issued"), at="DiagnosticReport.issued"),
        conclusion=diagnostic_report.get("conclusion", ""),
        sections=sections_of(composition),
        language=_language(diagnostic_report, composition),
    )


def report_identifier(diagnostic_report: dict[str, Any]) -> Identifier:
    """The reviewer's own identifier of the report, equal in all its versions: the first with system and value."""
    for item in diagnostic_report.get("identifier", []):
        if (identifier := read_identifier(item)) is not None:
            return identifier
    raise Unprocessable("an identifier with system and value is required", at="DiagnosticReport.identifier")


def diagnostic_report_to_fhir(
    report: Report,
    *,
    patient_reference: Mapping[str, Any],
    business_identifier: Identifier,
    order: Identifier,
    institution: str,
    rendition: Rendition,
    study_instance_uids: Sequence[str] = (),
) -> dict[str, Any]:
    """The R4 DiagnosticReport that a clinic's EHR receives, without an id; `order` is the clinic's order number."""
    title = f"{TITLE}, version {report.version} ({report.status})"
    resource: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "language": report.language,
        "identifier": [_identifier(business_identifier)],
        "basedOn": [{"type": "ServiceRequest", "identifier": _identifier(order)}],
        "status": report.status,
        "category": [
            {
                "coding": [{"system": DIAGNOSTIC_SERVICE_SYSTEM, "code": OTHER_SERVICE, "display": "Other"}],
                "text": report.specialty,
            }
        ],
        "code": {"coding": [{"system": LOINC, "code": CONSULT_NOTE, "display": "Consult note"}], "text": TITLE},
        "subject": dict(patient_reference),
        "effectiveDateTime": _instant(report.signed_at),
        "issued": _instant(report.signed_at),
        "performer": [{"display": institution}],
        "resultsInterpreter": [{"display": report.author}],
    }
    if study_instance_uids:
        resource["imagingStudy"] = [
            {"type": "ImagingStudy", "identifier": uid_identifier(uid)} for uid in study_instance_uids
        ]
    if report.conclusion:
        resource["conclusion"] = report.conclusion
    forms = (("application/pdf", rendition.pdf), ("text/html", rendition.html))
    resource["presentedForm"] = [_attachment(kind, data, title, report) for kind, data in forms]
    return resource


def _check_diagnostic_report(resource: dict[str, Any]) -> None:
    check_accepted(resource, _ACCEPTED)
    check_no_patient(resource, "DiagnosticReport")
    if resource["status"] not in STATUSES:
        raise Unprocessable(f"the status has to be one of: {', '.join(STATUSES)}", at="DiagnosticReport.status")
    if CONSULT_NOTE not in codes_of(resource["code"], LOINC):
        raise Unprocessable(f"the code has to be LOINC {CONSULT_NOTE}", at="DiagnosticReport.code")
    if "effectiveDateTime" in resource:
        read_instant(resource["effectiveDateTime"], at="DiagnosticReport.effectiveDateTime")
    if "issued" not in resource:
        raise Unprocessable("the instant of signing is required", at="DiagnosticReport.issued")


def _specialty(resource: dict[str, Any]) -> str:
    labels = [label for concept in resource.get("category", []) if (label := concept_label(concept))]
    if not labels:
        raise Unprocessable("the author's specialty is required, as text or display", at="DiagnosticReport.category")
    return labels[0]


def _language(diagnostic_report: dict[str, Any], composition: dict[str, Any]) -> str:
    stated = {resource["language"] for resource in (diagnostic_report, composition) if "language" in resource}
    if len(stated) > 1:
        raise Unprocessable("report and composition state two languages", at="Composition.language")
    return str(stated.pop()) if stated else "en"


def _identifier(identifier: Identifier) -> dict[str, str]:
    return {"system": identifier.system, "value": identifier.value}


def _instant(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be stated in FHIR")
    return moment.isoformat()


def _attachment(content_type: str, data: bytes, title: str, report: Report) -> dict[str, Any]:
    sha1 = hashlib.sha1(data, usedforsecurity=False).digest()  # Attachment.hash is SHA-1 by R4
    return {
        "contentType": content_type,
        "language": report.language,
        "data": base64.b64encode(data).decode(),
        "size": len(data),
        "hash": base64.b64encode(sha1).decode(),
        "title": title,
        "creation": _instant(report.signed_at),
    }
