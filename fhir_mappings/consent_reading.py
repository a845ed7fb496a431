"""Which elements of an R4 Consent are decided on, which are kept and change nothing, and which are refused.

https://hl7.org/fhir/R4/consent-definitions.html; an element that stands in none of the three does not exist in R4. In
what is decided on, extensions are refused too, also those of primitives: a period whose end is "unknown" is not one
without an end, and what later versions of FHIR added to a provision arrives as an extension that narrows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_mappings.structure import unknown_element
from gateway.domain.errors import Unprocessable

_LEAVE_OUT = "it is not evaluated; leave it out"
_EXTENSIONS = ("extension", "modifierExtension")
_NO_EXTENSIONS = dict.fromkeys(_EXTENSIONS, _LEAVE_OUT)


@dataclass(frozen=True)
class Reading:
    """The elements of one level. `refused` holds what to send instead."""

    decided: frozenset[str]
    kept: frozenset[str]
    refused: Mapping[str, str]


CONSENT = Reading(
    decided=frozenset(
        {"resourceType", "identifier", "status", "scope", "patient", "dateTime", "performer"}
        | {"sourceAttachment", "sourceReference", "policy", "policyRule", "verification", "provision"}
    ),
    kept=frozenset({"id", "meta", "language", "text", "extension", "category", "organization"}),
    refused={
        "implicitRules": _LEAVE_OUT,
        "modifierExtension": _LEAVE_OUT,
        "contained": "what is contained is not evaluated; send it as a resource of its own and refer to that",
    },
)
POLICY = Reading(frozenset({"uri"}), frozenset({"id", "authority"}), _NO_EXTENSIONS)
VERIFICATION = Reading(frozenset({"verified"}), frozenset({"id", "verifiedWith", "verificationDate"}), _NO_EXTENSIONS)
PROVISION = Reading(
    decided=frozenset(
        {"type", "period", "actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod"}
        | {"data", "provision"}
    ),
    kept=frozenset({"id"}),
    refused=_NO_EXTENSIONS,
)
ACTOR = Reading(frozenset({"role", "reference"}), frozenset({"id"}), _NO_EXTENSIONS)
DATA = Reading(frozenset({"meaning", "reference"}), frozenset({"id"}), _NO_EXTENSIONS)

_OF_OTHER_VERSIONS = "/StructureDefinition/extension-Consent"
"""https://hl7.org/fhir/versions.html#extensions: elements of another version of FHIR, such as R5's `decision`."""


def check_elements(holder: dict[str, Any], reading: Reading, at: str) -> None:
    """Raise Unprocessable for an element that is refused, Invalid for one that R4 does not have at this level."""
    for name in sorted(holder):
        if name in reading.refused:
            raise Unprocessable(reading.refused[name], at=f"{at}.{name}")
        if name.removeprefix("_") not in reading.decided | reading.kept:
            raise unknown_element(name, reading.decided | reading.kept, at=at)


def refuse_extensions(resource: dict[str, Any]) -> None:
    """Raise Unprocessable for an extension anywhere in what is decided on, and for one of another version of FHIR."""
    for index, one in enumerate(_several(resource.get("extension"))):
        if isinstance(one, dict) and _OF_OTHER_VERSIONS in str(one.get("url")):
            remedy = "it holds an element of another version of FHIR; send it in R4's own elements"
            raise Unprocessable(remedy, at=f"Consent.extension[{index}]")
    for name in sorted(resource):
        if name.startswith("_") and name[1:] in CONSENT.decided:
            raise Unprocessable(_LEAVE_OUT, at=f"Consent.{name}")
    pending = [(f"Consent.{name}", resource[name]) for name in sorted(CONSENT.decided & resource.keys(), reverse=True)]
    while pending:
        at, value = pending.pop()
        if isinstance(value, list):
            pending.extend((f"{at}[{index}]", one) for index, one in reversed([*enumerate(value)]))
        if not isinstance(value, dict):
            continue
        for name in sorted(value, reverse=True):
            if name in _EXTENSIONS or name.startswith("_"):
                raise Unprocessable(_LEAVE_OUT, at=f"{at}.{name}")
            pending.append((f"{at}.{name}", value[name]))


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else []
