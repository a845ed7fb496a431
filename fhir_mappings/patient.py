"""Patient -> who this is, for matching with image headers and for the report.

https://hl7.org/fhir/R4/patient.html

| FHIR path              | becomes            | required | note                                                      |
| ---------------------- | ------------------ | -------- | --------------------------------------------------------- |
| Patient.identifier     | identifiers        | 1..*     | those with system and value, use other than old           |
| Patient.name           | identity.names     | 1..*     | `given family` and text; use nickname, anonymous left out |
| Patient.name           | display_name       | 1        | official before usual before the first; text preferred    |
| Patient.birthDate      | identity.birth_date| no       | full date or absent; a year or month alone is refused     |
| Patient.gender         | identity.sex       | no       | male, female, other; unknown is kept as not said          |
| Patient.active         | is_active          | no       | true unless it says false                                 |
| Patient.link           | -                  | no       | see `fhir_mappings.patient_links`                         |
"""

from datetime import date
from typing import Any

from fhir_mappings.links import read_identifier
from fhir_mappings.primitives import read_day
from fhir_mappings.validation import check_resource
from gateway.domain.case import PatientRecord
from gateway.domain.errors import Unprocessable
from gateway.domain.identity import PersonIdentity, fold_name

_NOT_A_NAME = ("nickname", "anonymous")
_PRINTED_FIRST = ("official", "usual")


def patient_from_fhir(resource: dict[str, Any], *, is_valid: bool = False) -> PatientRecord:
    """The patient that a resource describes, checked; `is_valid` says that `check_resource` has passed it before.

    Raises:
        Invalid: not a Patient of R4.
        Unprocessable: without an identifier of system and value, without a name of letters, with a partial birth date.
    """
    if not is_valid:
        check_resource(resource, ("Patient",))
    identifiers = tuple(
        identifier
        for item in resource.get("identifier", [])
        if item.get("use") != "old" and (identifier := read_identifier(item)) is not None
    )
    if not identifiers:
        raise Unprocessable("an identifier with system and value is required", at="Patient.identifier")
    names = _names(resource)
    gender = str(resource.get("gender", "unknown"))
    return PatientRecord(
        identity=PersonIdentity(names, _birth_date(resource), "" if gender == "unknown" else gender),
        display_name=_display_name(resource),
        identifiers=identifiers,
        is_active=resource.get("active", True),
    )


def _usable_names(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [name for name in resource.get("name", []) if name.get("use") not in _NOT_A_NAME]


def _names(resource: dict[str, Any]) -> tuple[str, ...]:
    """Every way in which the names are written, each once."""
    written = [variant for name in _usable_names(resource) for variant in (_from_parts(name), _text_alone(name))]
    names = tuple(dict.fromkeys(name for name in written if fold_name(name)))
    if not names:
        raise Unprocessable("a name with letters is required", at="Patient.name")
    return names


def _from_parts(name: dict[str, Any]) -> str:
    given = [str(part) for part in name.get("given", []) if part is not None]
    return " ".join(part for part in (*given, str(name.get("family", ""))) if part)


def _text_alone(name: dict[str, Any]) -> str:
    """The text without the prefixes it begins with and the suffixes it ends with."""
    text = _text(name)
    for prefix in name.get("prefix", []):
        text = text.removeprefix(str(prefix)).strip() if prefix else text
    for suffix in reversed(name.get("suffix", [])):
        text = text.removesuffix(str(suffix)).strip(" ,") if suffix else text
    return text


def _text(name: dict[str, Any]) -> str:
    return str(name.get("text", "")).strip()


def _display_name(resource: dict[str, Any]) -> str:
    names = _usable_names(resource)
    ranked = [name for use in _PRINTED_FIRST for name in names if name.get("use") == use] + names
    return next(label for name in ranked if (label := _text(name) or _from_parts(name)))


def _birth_date(resource: dict[str, Any]) -> date | None:
    if "birthDate" not in resource:
        return None
    if len(resource["birthDate"]) < len("YYYY-MM-DD"):
        raise Unprocessable(
            "a birth date is complete or absent; a part of it identifies nobody", at="Patient.birthDate"
        )
    return read_day(resource["birthDate"], at="Patient.birthDate")
