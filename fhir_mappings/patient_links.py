"""Patient.link -> which records are one patient (https://hl7.org/fhir/R4/patient.html#links).

| FHIR path  | note                                                                            |
| ---------- | ------------------------------------------------------------------------------- |
| link.type  | replaced-by and replaces merge, on either side; refer and seealso merge nothing |
| link.other | of a merge: Patient/id of this server; an identifier alone is a 422             |
"""

from dataclasses import dataclass
from typing import Any

from fhir_mappings.consent_elements import objects, single
from fhir_mappings.literal_references import local_target
from gateway.domain.errors import Unprocessable


@dataclass(frozen=True)
class Links:
    """The ids of the records that this one was merged into, and of those that were merged into it, as it says."""

    replaced_by: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


def links_of(patient: dict[str, Any]) -> Links:
    """Raises Invalid, and Unprocessable for a merge with a record that it does not name by Patient/id."""
    links = objects(patient, "link", "Patient")
    return Links(
        replaced_by=tuple(_other(one, at) for at, one in links if one.get("type") == "replaced-by"),
        replaces=tuple(_other(one, at) for at, one in links if one.get("type") == "replaces"),
    )


def _other(link: dict[str, Any], at: str) -> str:
    target = local_target(str(single(link, "other", f"{at}.other").get("reference", "")))
    if target is None or target.type != "Patient":
        raise Unprocessable("name the other record of a merge as Patient/id of this server", at=f"{at}.other")
    return target.id
