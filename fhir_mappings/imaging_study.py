"""A study as the gateway holds it -> ImagingStudy.

https://hl7.org/fhir/R4/imagingstudy.html

| FHIR path                             | source                       | required | note                                       |
| ------------------------------------- | ---------------------------- | -------- | ------------------------------------------ |
| ImagingStudy.id                       | study.id                     | yes      |                                            |
| ImagingStudy.identifier               | study.study_instance_uid     | yes      | urn:dicom:uid, urn:oid:UID                 |
| ImagingStudy.identifier               | study.accession_number       | no       | type ACSN                                  |
| ImagingStudy.status                   | -                            | yes      | available                                  |
| ImagingStudy.modality                 | instance.modality            | yes      | each once                                  |
| ImagingStudy.subject                  | case.patient_id              | yes      | Patient/id                                 |
| ImagingStudy.basedOn                  | case.id                      | yes      | ServiceRequest/id                          |
| ImagingStudy.started                  | study.study_date             | no       | a day: a header states no time zone        |
| ImagingStudy.description              | study.study_description      | no       |                                            |
| ImagingStudy.numberOfSeries           | count                        | yes      |                                            |
| ImagingStudy.numberOfInstances        | count                        | yes      |                                            |
| ImagingStudy.series.uid               | instance.series_instance_uid | yes      |                                            |
| ImagingStudy.series.number            | instance.series_number       | no       | R4 unsignedInt: a negative one is left out |
| ImagingStudy.series.modality          | instance.modality            | yes      | of its first instance                      |
| ImagingStudy.series.numberOfInstances | count                        | yes      |                                            |
| ImagingStudy.series.instance.uid      | instance.sop_instance_uid    | yes      |                                            |
| ImagingStudy.series.instance.sopClass | instance.sop_class_uid       | yes      | urn:ietf:rfc:3986, urn:oid:UID             |
| ImagingStudy.series.instance.number   | instance.instance_number     | no       | R4 unsignedInt: a negative one is left out |
"""

from collections.abc import Sequence
from typing import Any

from fhir_mappings.codes import (
    ACCESSION_NUMBER,
    DATA_ABSENT_REASON,
    DICOM_TERMINOLOGY,
    IDENTIFIER_TYPE_SYSTEM,
    OID_PREFIX,
    URI_SYSTEM,
)
from fhir_mappings.links import uid_identifier
from gateway.domain.record import Case, Instance, Study


def imaging_study_to_fhir(study: Study, instances: Sequence[Instance], case: Case) -> dict[str, Any]:
    """The R4 ImagingStudy of a study of the case, with these instances (at least one, of any order).

    The output has a fixed order - series by number and UID, instances likewise - so that the same catalogue gives
    the same resource.

    Raises:
        ValueError: no instances.
    """
    if not instances:
        raise ValueError("an ImagingStudy needs instances")
    series = [_series(members) for members in _by_series(instances)]
    modalities = dict.fromkeys(one.modality for group in _by_series(instances) for one in group if one.modality)
    resource: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "id": study.id,
        "identifier": _identifiers(study),
        "status": "available",
        "subject": {"reference": f"Patient/{case.patient_id}"},
        "basedOn": [{"reference": f"ServiceRequest/{case.id}"}],
        "numberOfSeries": len(series),
        "numberOfInstances": len(instances),
        "series": series,
    }
    if modalities:
        resource["modality"] = [_modality(code) for code in modalities]
    if study.study_date is not None:
        resource["started"] = study.study_date.isoformat()
    if study.study_description:
        resource["description"] = study.study_description
    return resource


def _identifiers(study: Study) -> list[dict[str, Any]]:
    identifiers: list[dict[str, Any]] = [uid_identifier(study.study_instance_uid)]
    if study.accession_number:
        kind = {"coding": [{"system": IDENTIFIER_TYPE_SYSTEM, "code": ACCESSION_NUMBER}]}
        identifiers.append({"type": kind, "value": study.accession_number})
    return identifiers


def _by_series(instances: Sequence[Instance]) -> list[list[Instance]]:
    groups: dict[str, list[Instance]] = {}
    for instance in sorted(instances, key=lambda one: (_rank(one.instance_number), one.sop_instance_uid)):
        groups.setdefault(instance.series_instance_uid, []).append(instance)
    return sorted(groups.values(), key=lambda group: (_rank(group[0].series_number), group[0].series_instance_uid))


def _rank(number: int | None) -> float:
    return float("inf") if number is None else number


def _modality(code: str) -> dict[str, Any]:
    """R4 requires a modality of a series; an object without one says so rather than have one invented."""
    if not code:
        return {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "unknown"}]}
    return {"system": DICOM_TERMINOLOGY, "code": code}


def _series(members: list[Instance]) -> dict[str, Any]:
    return {
        "uid": members[0].series_instance_uid,
        **_number(members[0].series_number),
        "modality": _modality(members[0].modality),
        "numberOfInstances": len(members),
        "instance": [_instance(member) for member in members],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "uid": instance.sop_instance_uid,
        "sopClass": {"system": URI_SYSTEM, "code": OID_PREFIX + instance.sop_class_uid},
        **_number(instance.instance_number),
    }


def _number(number: int | None) -> dict[str, int]:
    return {} if number is None or number < 0 else {"number": number}
