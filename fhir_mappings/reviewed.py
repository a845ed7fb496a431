"""A case as its reviewer sees it -> ServiceRequest, ImagingStudy, DocumentReference.

https://hl7.org/fhir/R4/servicerequest.html , imagingstudy.html , documentreference.html

| FHIR path                                     | source                     | required | note                             |
| --------------------------------------------- | -------------------------- | -------- | -------------------------------- |
| ServiceRequest.id                             | case.pseudonym             | yes      |                                  |
| ServiceRequest.identifier                     | case.pseudonym             | yes      | PSEUDONYM_SYSTEM                 |
| ServiceRequest.status, intent, priority       | order.status, order, same  | yes      |                                  |
| ServiceRequest.code, reasonCode               | coding.system, coding.code | no       | PUBLIC systems; no display, text |
| ServiceRequest.subject                        | case.pseudonym             | yes      | by identifier, type Patient      |
| ImagingStudy.id                               | accession number           | yes      | the pseudonymous one             |
| ImagingStudy.identifier                       | StudyInstanceUID           | yes      | as delivered                     |
| ImagingStudy.identifier                       | accession number           | yes      | type ACSN; the pseudonymous one  |
| ImagingStudy.status                           | -                          | yes      | available                        |
| ImagingStudy.subject, basedOn                 | case.pseudonym             | yes      | ServiceRequest/pseudonym         |
| ImagingStudy.numberOfSeries, -Instances       | count                      | yes      | of what has arrived              |
| ImagingStudy.modality, series.modality        | instance.modality          | yes      | as delivered                     |
| ImagingStudy.series.uid, .numberOfInstances   | SeriesInstanceUID, count   | yes      | as delivered                     |
| ImagingStudy.series.instance.uid, .sopClass   | SOPInstanceUID, class      | yes      | as delivered                     |
| DocumentReference.id                          | SOPInstanceUID             | yes      | as delivered                     |
| DocumentReference.masterIdentifier            | SOPInstanceUID             | yes      | as delivered                     |
| DocumentReference.status, docStatus           | -                          | yes      | current, final                   |
| DocumentReference.type                        | document.loinc             | no       | the code alone, if it is spelt so |
| DocumentReference.subject                     | case.pseudonym             | yes      | by identifier                    |
| DocumentReference.content.attachment          | title of what was sent     | yes      | the same for all; no url, no data |
| DocumentReference.context.related             | case, study                | yes      | ServiceRequest, ImagingStudy     |

Left out, as they tell who, where or when: requester, performer, the clinic's identifiers, authoredOn and every other date,
notes, descriptions, names of series, and any code of a system that is not PUBLIC, since a clinic may have made it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fhir_mappings.codes import (
    ACCESSION_NUMBER,
    DATA_ABSENT_REASON,
    DICOM_TERMINOLOGY,
    IDENTIFIER_TYPE_SYSTEM,
    LOINC,
    OID_PREFIX,
    PSEUDONYM_SYSTEM,
    REFERRAL_REASON_SYSTEM,
    URI_SYSTEM,
)
from fhir_mappings.links import uid_identifier
from gateway.domain.review import ReviewedDocument, ReviewedObject, ReviewedOrder, ReviewedStudy

PUBLIC = {
    LOINC: re.compile(r"[0-9]{1,7}-[0-9]"),
    REFERRAL_REASON_SYSTEM: re.compile(r"[A-Z]"),
    "http://snomed.info/sct": re.compile(r"[1-9][0-9]{5,17}"),
    "http://hl7.org/fhir/sid/icd-10": re.compile(r"[A-Z][0-9]{2}(\.[0-9]{1,2})?"),
    "http://hl7.org/fhir/sid/icd-10-cm": re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"),
    "http://hl7.org/fhir/sid/icd-o-3": re.compile(r"C[0-9]{2}(\.[0-9])?|[0-9]{4}/[0-9]"),
}
"""Code systems that a clinic cannot add to, and how their codes are spelt: what is spelt otherwise is none of theirs.

https://hl7.org/fhir/R4/terminologies-systems.html , https://hl7.org/fhir/R4/loinc.html , snomedct.html , icd.html
"""

Json = dict[str, Any]


def order_for_review(resource: Mapping[str, Any], pseudonym: str) -> ReviewedOrder:
    """What the reviewer may know of the clinic's ServiceRequest, which was checked when it was stored."""
    return ReviewedOrder(
        pseudonym=pseudonym,
        status=str(resource["status"]),
        priority=str(resource.get("priority", "routine")),
        codes=_public_codes([resource.get("code", {})]),
        reasons=_public_codes(resource.get("reasonCode", [])),
    )


def reviewed_order(order: ReviewedOrder) -> Json:
    """The R4 ServiceRequest."""
    resource: Json = {
        "resourceType": "ServiceRequest",
        "id": order.pseudonym,
        "identifier": [_pseudonym(order.pseudonym)],
        "status": order.status,
        "intent": "order",
        "priority": order.priority,
    }
    if order.codes:
        resource["code"] = {"coding": _codings(order.codes)}
    resource["subject"] = _subject(order.pseudonym)
    if order.reasons:
        resource["reasonCode"] = [{"coding": [one]} for one in _codings(order.reasons)]
    return resource


def reviewed_study(study: ReviewedStudy) -> Json:
    """The R4 ImagingStudy."""
    series: dict[str, list[ReviewedObject]] = {}
    for one in study.objects:
        series.setdefault(one.series_instance_uid, []).append(one)
    kind = {"coding": [{"system": IDENTIFIER_TYPE_SYSTEM, "code": ACCESSION_NUMBER}]}
    resource: Json = {
        "resourceType": "ImagingStudy",
        "id": study.accession_number,
        "identifier": [uid_identifier(study.study_instance_uid), {"type": kind, "value": study.accession_number}],
        "status": "available",
        "subject": _subject(study.pseudonym),
        "basedOn": [{"reference": f"ServiceRequest/{study.pseudonym}"}],
        "numberOfSeries": len(series),
        "numberOfInstances": len(study.objects),
        "series": [_series(uid, members) for uid, members in series.items()],
    }
    modalities = dict.fromkeys(one.modality for one in study.objects if one.modality)
    return resource | ({"modality": [_modality(code) for code in modalities]} if modalities else {})


def reviewed_document(document: ReviewedDocument) -> Json:
    """The R4 DocumentReference."""
    related = [f"ServiceRequest/{document.pseudonym}"]
    related += [f"ImagingStudy/{document.accession_number}"] if document.accession_number else []
    kind = {"type": {"coding": _codings([(LOINC, document.loinc)])}} if _is_public(LOINC, document.loinc) else {}
    return {
        "resourceType": "DocumentReference",
        "id": document.sop_instance_uid,
        "masterIdentifier": uid_identifier(document.sop_instance_uid),
        "status": "current",
        "docStatus": "final",
        **kind,
        "subject": _subject(document.pseudonym),
        "content": [{"attachment": {"contentType": "application/dicom", "title": document.title}}],
        "context": {"related": [{"reference": one} for one in related]},
    }


def _public_codes(concepts: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    codings = [coding for concept in concepts for coding in concept.get("coding", [])]
    pairs = [(str(one.get("system", "")), str(one.get("code", ""))) for one in codings]
    return tuple(dict.fromkeys((system, code) for system, code in pairs if _is_public(system, code)))


def _is_public(system: str, code: str) -> bool:
    return system in PUBLIC and PUBLIC[system].fullmatch(code) is not None


def _codings(codes: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"system": system, "code": code} for system, code in codes]


def _pseudonym(value: str) -> Json:
    return {"system": PSEUDONYM_SYSTEM, "value": value}


def _subject(pseudonym: str) -> Json:
    return {"type": "Patient", "identifier": _pseudonym(pseudonym)}


def _series(uid: str, members: list[ReviewedObject]) -> Json:
    return {
        "uid": uid,
        "modality": _modality(members[0].modality),
        "numberOfInstances": len(members),
        "instance": [_instance(one) for one in members],
    }


def _instance(one: ReviewedObject) -> Json:
    return {"uid": one.sop_instance_uid, "sopClass": {"system": URI_SYSTEM, "code": OID_PREFIX + one.sop_class_uid}}


def _modality(code: str) -> Json:
    """R4 requires a modality of a series; an object without one says so."""
    if not code:
        return {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    return {"system": DICOM_TERMINOLOGY, "code": code}
