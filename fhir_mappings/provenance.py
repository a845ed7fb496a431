"""Provenance: of a Consent it may tell a signature or a revision; of anything else it is kept as it came.

https://hl7.org/fhir/R4/provenance.html. What is said of a Consent and cannot be evaluated is a 422.

| FHIR path          | source          | required  | note                                                                |
| ------------------ | --------------- | --------- | ------------------------------------------------------------------- |
| target             | clinic, gateway | yes       | each says its type; of a Consent: Consent/id/_history/version       |
| signature          | clinic          | no        | signs each target, which then needs its version, or comes with it   |
| signature.type     | clinic          | yes       | author's (1.2.840.10065.1.12.1.1) or consent signature (...12.1.7)  |
| signature.who      | clinic          | yes       | the patient, or a performer of the Consent                          |
| signature.data     | clinic          | yes       | kept; that it is there is read, what it proves is for a person      |
| entity             | clinic, gateway | no        | role revision: the Consent in `what` is replaced; role source: kept |
| activity           | clinic, gateway | no        | CREATE, UPDATE (v3-DataOperation), LA, AU (v3-DocumentCompletion)   |
| everything else    | clinic, gateway | as in R4  | kept, not decided on                                                |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_mappings.consent_elements import party
from fhir_mappings.literal_references import LocalTarget, local_target
from fhir_mappings.references import target_type
from gateway.domain.consent import PartyReference
from gateway.domain.errors import Unprocessable

_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
_SIGNATURE_TYPES = "urn:iso-astm:E1762-95:2013"
_SIGNATURES = frozenset(("1.2.840.10065.1.12.1.1", "1.2.840.10065.1.12.1.7"))
"""Author's signature and consent signature (https://hl7.org/fhir/R4/valueset-signature-type.html)."""

_DATA_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_ACTIVITIES = frozenset(
    (
        (_DATA_OPERATION, "CREATE"),
        (_DATA_OPERATION, "UPDATE"),
        ("http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion", "LA"),
        ("http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion", "AU"),
    )
)
"""Activities that say no more of a Consent than its status does."""

_ROLES = ("revision", "source")


@dataclass(frozen=True)
class Signature:
    """One signature; `who` gave it, `at` is its FHIRPath."""

    who: PartyReference
    at: str


@dataclass(frozen=True)
class Claims:
    """What a Provenance says of consents: `targets` were signed by `signatures`, and take the place of `revised`.

    Version '' of a target: the version that was stored together with the Provenance.
    """

    targets: tuple[LocalTarget, ...]
    signatures: tuple[Signature, ...]
    revised: tuple[LocalTarget, ...]


def claims_of(provenance: dict[str, Any]) -> Claims | None:
    """What it claims of consents; None where it is plainly about something else.

    Raises Unprocessable for what might speak of a Consent and is not evaluated.
    """
    kinds = [_kind(target, f"Provenance.target[{number}]") for number, target in enumerate(provenance["target"])]
    if "Consent" not in kinds:
        return None
    targets = tuple(_targets(provenance))
    _refuse_activity(provenance)
    signatures = tuple(_signature(one, at) for at, one in _each(provenance, "signature"))
    return Claims(targets, signatures, tuple(_revised(provenance)))


def revision(new: LocalTarget, *, client_id: str, at: datetime) -> dict[str, Any]:
    """The Provenance of a version of a Consent that takes the place of the one before it, as the gateway writes it."""
    literal, before = f"{new.type}/{new.id}/_history", int(new.version) - 1
    return {
        "resourceType": "Provenance",
        "target": [{"reference": f"{literal}/{new.version}"}],
        "recorded": at.isoformat(timespec="milliseconds"),
        "activity": {"coding": [{"system": _DATA_OPERATION, "code": "UPDATE"}]},
        "agent": [{"who": {"display": client_id}}],
        "entity": [{"role": "revision", "what": {"reference": f"{literal}/{before}"}}],
    }


def _kind(reference: dict[str, Any], at: str) -> str:
    kind = target_type(str(reference.get("reference", ""))) or str(reference.get("type", "")).removeprefix(_STRUCTURE)
    if not kind:
        raise Unprocessable("say what it is by Type/id or `type`", at=at)
    return kind


def _targets(provenance: dict[str, Any]) -> Iterator[LocalTarget]:
    for number, target in enumerate(provenance["target"]):
        found = local_target(str(target.get("reference", "")))
        if found is None or found.type != "Consent":
            remedy = "name each as Consent/id/_history/version of this server, and nothing else beside them"
            raise Unprocessable(
                f"a Provenance of consents is about them alone; {remedy}", at=f"Provenance.target[{number}]"
            )
        yield found


def _refuse_activity(provenance: dict[str, Any]) -> None:
    codings = provenance["activity"].get("coding", []) if "activity" in provenance else None
    if codings is not None and not any((one.get("system"), one.get("code")) in _ACTIVITIES for one in codings):
        remedy = "end a consent by a new version that is inactive; else send UPDATE of v3-DataOperation, or nothing"
        raise Unprocessable(f"the activity is not evaluated; {remedy}", at="Provenance.activity")


def _signature(signature: dict[str, Any], at: str) -> Signature:
    codes = {one.get("code") for one in signature.get("type", []) if one.get("system") == _SIGNATURE_TYPES}
    if not codes & _SIGNATURES:
        remedy = f"send {_SIGNATURE_TYPES}#{min(_SIGNATURES)}, the author's, or leave the signature out"
        raise Unprocessable(f"the kind of signature is not evaluated; {remedy}", at=f"{at}.type")
    if not signature.get("data"):
        raise Unprocessable("a signature without its data shows nothing; send them", at=f"{at}.data")
    return Signature(party(signature["who"], f"{at}.who"), at)


def _revised(provenance: dict[str, Any]) -> Iterator[LocalTarget]:
    for at, entity in _each(provenance, "entity"):
        if entity["role"] not in _ROLES:
            raise Unprocessable(f"of a Consent these roles are evaluated: {', '.join(_ROLES)}", at=f"{at}.role")
        if entity["role"] == "revision":
            found = local_target(str(entity["what"].get("reference", "")))
            if found is None or found.type != "Consent":
                raise Unprocessable("name the replaced consent as Consent/id of this server", at=f"{at}.what")
            yield found


def _each(holder: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, one in enumerate(holder.get(name, [])):
        yield f"Provenance.{name}[{number}]", one
