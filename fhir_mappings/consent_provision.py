"""FHIR R4 Consent.provision -> domain Provision, recursively (https://hl7.org/fhir/R4/consent.html).

A permit has to be exact: whatever in it cannot be resolved is refused. A denial is taken in the widest sense instead.

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| type | clinic | nested: yes | at the root optional (R4 core: from policyRule; IHE PCF: stated) |
| period | clinic | no | plain dates are read in the custodian's time zone when it is decided |
| actor.role | clinic | yes | v3-ParticipationType IRCP, nothing else |
| actor.reference | clinic | yes | literal, identifier (system and value), or both; `type` of a permit: who can receive |
| action | clinic | no | consentaction; of a permit nothing beside it |
| purpose | clinic | no | v3-ActReason; a permit names one, here or in a provision around it |
| class | clinic | no | a resource type of R4 |
| code | clinic | no | compared exactly, no subsumption |
| dataPeriod | clinic | no | compared with the clinical date of an item |
| data | clinic | no | meaning `instance` with a literal reference |
| securityLabel | clinic | no | how it is compared: `gateway.domain.consent.labels`; a permit by unknown levels: 422 |
| other meanings of data, extension, modifierExtension | - | - | 422 |
| text of a concept | clinic | no | of a permit what the code or its display says, else 422 |
"""

from typing import Any

from fhir_mappings.consent_elements import objects, party, period, refuse_words, single
from fhir_mappings.consent_reading import ACTOR, DATA, PROVISION, check_elements
from fhir_mappings.references import target_type
from fhir_mappings.resource_types import RESOURCE_TYPES_OF_R4
from gateway.domain.consent import Coding, Effect, PartyReference, Provision
from gateway.domain.consent.vocabulary import (
    ACT_REASON,
    CONFIDENTIALITY,
    CONFIDENTIALITY_LEVELS,
    CONSENT_ACTION,
    CONSENT_ACTIONS,
    INFORMATION_RECIPIENT,
    PARTICIPATION_TYPE,
    PURPOSES,
    RESOURCE_TYPES,
)
from gateway.domain.errors import Invalid, Unprocessable

_DEEPEST = 8
_RECIPIENTS = ("Organization", "Practitioner", "PractitionerRole", "CareTeam", "Group")


def read_provision(provision: dict[str, Any], at: str, *, implied: Effect | None, depth: int = 0) -> Provision:
    """One provision with those nested in it; `implied` is what a root without a type says by its policy rule."""
    check_elements(provision, PROVISION, at)
    if depth > _DEEPEST:
        raise Unprocessable(f"provisions nest deeper than {_DEEPEST}; flatten them", at=at)
    effect = _effect(provision, at, is_root=depth == 0)
    is_exact = (effect or implied) is not Effect.DENY
    nested = objects(provision, "provision", at)
    return Provision(
        type=effect,
        period=period(provision, "period", at),
        recipients=tuple(_recipient(one, path, is_exact) for path, one in objects(provision, "actor", at)),
        actions=frozenset(_action(one, path, is_exact) for path, one in objects(provision, "action", at)),
        purposes=frozenset(_purpose(one, path, is_exact) for path, one in objects(provision, "purpose", at)),
        classes=frozenset(_class(one, path) for path, one in objects(provision, "class", at)),
        codes=tuple(_concept(one, path, is_exact) for path, one in objects(provision, "code", at)),
        data_period=period(provision, "dataPeriod", at),
        labels=frozenset(_label(one, path, is_exact) for path, one in objects(provision, "securityLabel", at)),
        data=frozenset(_datum(one, path) for path, one in objects(provision, "data", at)),
        provisions=tuple(read_provision(one, path, implied=None, depth=depth + 1) for path, one in nested),
    )


def _effect(provision: dict[str, Any], at: str, *, is_root: bool) -> Effect | None:
    found = provision.get("type")
    if found in tuple(Effect):
        return Effect(found)
    if found is None and is_root:
        return None
    raise Invalid("permit or deny is needed here", at=f"{at}.type")


def _recipient(actor: dict[str, Any], at: str, is_exact: bool) -> PartyReference:
    check_elements(actor, ACTOR, at)
    roles = _codings(single(actor, "role", f"{at}.role"), f"{at}.role")
    if Coding(PARTICIPATION_TYPE, INFORMATION_RECIPIENT) not in roles:
        remedy = f"send {PARTICIPATION_TYPE}#{INFORMATION_RECIPIENT}"
        raise Unprocessable(f"only information recipients are evaluated; {remedy}", at=f"{at}.role")
    reference = single(actor, "reference", f"{at}.reference")
    named = party(reference, f"{at}.reference")
    if is_exact:
        _check_exact(actor["role"], roles, f"{at}.role")
        _check_kind(reference, named, f"{at}.reference")
    return named


def _check_kind(reference: dict[str, Any], named: PartyReference, at: str) -> None:
    """Whom a permit names has to be told, and to be of a kind that something can be sent to."""
    if named == PartyReference():
        remedy = "send a literal reference, or an identifier with system and value"
        raise Unprocessable(f"whom the permit names cannot be resolved; {remedy}", at=at)
    of_literal, stated = target_type(named.reference), reference.get("type")
    if stated is not None and of_literal and stated != of_literal:
        raise Unprocessable("the type is not that of the reference; leave it out", at=f"{at}.type")
    if stated is not None and stated not in _RECIPIENTS:
        raise Unprocessable(f"no recipient is of this type; send one of {', '.join(_RECIPIENTS)}", at=f"{at}.type")


def _check_exact(concept: dict[str, Any], codings: frozenset[Coding], at: str) -> None:
    """Beside the one code that is known nothing may stand that could limit it."""
    refuse_words(concept, at)
    if len(codings) > 1:
        raise Unprocessable("a code beside the one that is known is not evaluated; send that one alone", at=at)


def _action(concept: dict[str, Any], at: str, is_exact: bool) -> Coding:
    codings = _codings(concept, at)
    known = codings & {Coding(CONSENT_ACTION, code) for code in CONSENT_ACTIONS}
    if len(known) == 1:
        if is_exact:
            _check_exact(concept, codings, at)
        return next(iter(known))
    if is_exact:
        raise Unprocessable(f"the action is not known; send one code of {CONSENT_ACTION}", at=at)
    return min(codings - known, key=str, default=Coding("", ""))


def _purpose(coding: dict[str, Any], at: str, is_exact: bool) -> Coding:
    purpose = Coding(str(coding.get("system", "")), str(coding.get("code", "")))
    if is_exact and (purpose.system != ACT_REASON or purpose.code not in PURPOSES):
        raise Unprocessable(f"the purpose is not known; send a code of {ACT_REASON} such as TREAT or COC", at=at)
    return purpose


def _label(coding: dict[str, Any], at: str, is_exact: bool) -> Coding:
    label = Coding(str(coding.get("system", "")), str(coding.get("code", "")))
    if is_exact and not (label.system and label.code):
        raise Unprocessable("the label is not known; send a coding with system and code", at=at)
    if is_exact and label.system == CONFIDENTIALITY and label.code not in CONFIDENTIALITY_LEVELS:
        levels = ", ".join(CONFIDENTIALITY_LEVELS)
        raise Unprocessable(f"the level is not known; send one of {CONFIDENTIALITY}: {levels}", at=at)
    return label


def _class(coding: dict[str, Any], at: str) -> str:
    code = str(coding.get("code", ""))
    if coding.get("system") != RESOURCE_TYPES or code not in RESOURCE_TYPES_OF_R4:
        raise Unprocessable(f"the class is not evaluated; send a code of {RESOURCE_TYPES}", at=at)
    return code


def _concept(concept: dict[str, Any], at: str, is_exact: bool) -> frozenset[Coding]:
    codings = _codings(concept, at)
    if not codings or any(not one.system or not one.code for one in codings):
        raise Unprocessable("a code in words is not evaluated; send codings with system and code", at=at)
    if is_exact:
        refuse_words(concept, at)
    return codings


def _datum(datum: dict[str, Any], at: str) -> str:
    check_elements(datum, DATA, at)
    if datum.get("meaning") != "instance":
        raise Unprocessable("only the meaning instance is evaluated; list each resource by it", at=f"{at}.meaning")
    named = party(single(datum, "reference", f"{at}.reference"), f"{at}.reference").reference
    if not target_type(named) or named.count("/") != 1:
        raise Unprocessable("name the resource by a literal reference of the form Type/id", at=f"{at}.reference")
    return named


def _codings(concept: dict[str, Any], at: str) -> frozenset[Coding]:
    return frozenset(
        Coding(str(one.get("system", "")), str(one.get("code", ""))) for _, one in objects(concept, "coding", at)
    )
