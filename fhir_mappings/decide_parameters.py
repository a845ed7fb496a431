"""Parameters of POST /fhir/Consent/$decide, in and out (https://hl7.org/fhir/R4/parameters.html).

In:

| parameter | value                   | required   | note                                                             |
| --------- | ----------------------- | ---------- | ---------------------------------------------------------------- |
| case      | valueReference          | yes        | ServiceRequest/id                                                |
| recipient | valueReference          | one of two | by identifier: the reviewer of the case, or the clinic itself    |
| endpoint  | valueString             | one of two | the name of one of their endpoints                               |
| purpose   | valueCode, valueCoding  | no         | one that opens the flow to that recipient (v3-ActReason)         |
| at        | valueDate, valueDateTime | no        | another moment than now; a date is read in the clinic's zone     |

Out:

| parameter         | value          | note                                                                          |
| ----------------- | -------------- | ----------------------------------------------------------------------------- |
| outcome           | valueCode      | permit only where each thing is permitted; else deny, or indeterminate        |
| answer            | valueString    | the same in words; where the things differ, how many may leave                |
| hindrance         | part           | 0..*, what keeps everything here now, whatever the outcome: the parts below   |
| hindrance.code    | valueCode      | closed-case, restored                                                         |
| hindrance.reason  | valueString    | the same in words                                                             |
| thing             | part           | 1..*, what would leave in one, and is decided on for itself: the parts below  |
| thing.about       | valueString    | Type/id of what would leave                                                   |
| thing.outcome     | valueCode      | permit, deny or indeterminate                                                 |
| thing.question    | valueString    | what was asked, in words                                                      |
| thing.answer      | valueString    | the outcome in words                                                          |
| thing.reason      | valueString    | 1..*                                                                          |
| thing.valid-until | valueInstant   | when time alone could change it; absent: never                                |
| thing.consent     | valueReference | 0..*, Consent/id/_history/version: what it rests on                           |
| thing.step        | part           | 0..*, one provision: consent, path, says (not where it has nothing), finding  |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from fhir_mappings.links import read_identifier, required_literal
from fhir_mappings.validation import check_resource
from gateway.domain.consent import ConsentVersion
from gateway.domain.consent.explanation import Explanation, Passage
from gateway.domain.consent.vocabulary import ACT_REASON
from gateway.domain.delivery import Hindrance
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier

_VALUES = {
    "case": ("valueReference",),
    "recipient": ("valueReference",),
    "endpoint": ("valueString",),
    "purpose": ("valueCode", "valueCoding"),
    "at": ("valueDate", "valueDateTime"),
}


@dataclass(frozen=True)
class Question:
    """May the case's things go there? Exactly one of `recipient` and `endpoint` is set; '' for what was not said."""

    case_id: str
    recipient: Identifier | None
    endpoint: str
    purpose: str
    moment: str


def question_from_fhir(parameters: dict[str, Any]) -> Question:
    """Raises Invalid, and Unprocessable for parameters that are missing, twice there or not known."""
    check_resource(parameters, ("Parameters",))
    found = _by_name(parameters)
    if "case" not in found:
        raise Unprocessable("name the case by its ServiceRequest/id, as valueReference", at="Parameters.parameter")
    if ("recipient" in found) == ("endpoint" in found):
        raise Unprocessable("name the recipient or an endpoint, one of the two", at="Parameters.parameter")
    at, case = found["case"]
    literal = required_literal(case, "ServiceRequest", at=f"{at}.valueReference")
    return Question(
        case_id=literal.removeprefix("ServiceRequest/"),
        recipient=_recipient(*found["recipient"]) if "recipient" in found else None,
        endpoint=str(found["endpoint"][1]) if "endpoint" in found else "",
        purpose=_purpose(*found["purpose"]) if "purpose" in found else "",
        moment=str(found["at"][1]) if "at" in found else "",
    )


def answer_to_fhir(
    *, outcome: str, answer: str, hindrances: Sequence[Hindrance], things: Sequence[Explanation]
) -> dict[str, Any]:
    """A Parameters resource: the answer in all, what else stands in the way, and of each of the things."""
    told = [{"name": "thing", "part": _thing(one)} for one in things]
    kept = [{"name": "hindrance", "part": _hindrance(one)} for one in hindrances]
    parameters = [{"name": "outcome", "valueCode": outcome}, _text("answer", answer), *kept, *told]
    return {"resourceType": "Parameters", "parameter": parameters}


def _by_name(parameters: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Name -> FHIRPath and value of each parameter."""
    found: dict[str, tuple[str, Any]] = {}
    for number, one in enumerate(parameters.get("parameter", [])):
        at = f"Parameters.parameter[{number}]"
        allowed = _VALUES.get(one["name"])
        if allowed is None:
            raise Unprocessable(f"there are these parameters: {', '.join(_VALUES)}", at=f"{at}.name")
        if one["name"] in found:
            raise Unprocessable("the parameter is there twice", at=f"{at}.name")
        values = [one[name] for name in allowed if name in one]
        if len(values) != 1:
            raise Unprocessable(f"send it as {' or '.join(allowed)}", at=at)
        found[one["name"]] = (at, values[0])
    return found


def _recipient(at: str, reference: dict[str, Any]) -> Identifier:
    found = read_identifier(reference.get("identifier", {}))
    if found is None:
        raise Unprocessable("name the recipient by an identifier of system and value", at=f"{at}.valueReference")
    return found


def _purpose(at: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value.get("system") != ACT_REASON or "code" not in value:
        raise Unprocessable(f"send a code of {ACT_REASON}", at=f"{at}.valueCoding")
    return str(value["code"])


def _text(name: str, sentence: str) -> dict[str, Any]:
    return {"name": name, "valueString": sentence}


def _hindrance(found: Hindrance) -> list[dict[str, Any]]:
    return [{"name": "code", "valueCode": found.code}, _text("reason", found.why)]


def _thing(told: Explanation) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        _text("about", told.about),
        {"name": "outcome", "valueCode": str(told.outcome)},
        _text("question", told.question),
        _text("answer", told.answer),
        *(_text("reason", one) for one in told.reasons),
    ]
    if told.valid_until is not None:
        instant = told.valid_until.astimezone(UTC).isoformat(timespec="milliseconds")
        parts.append({"name": "valid-until", "valueInstant": instant})
    parts += [_version(one) for one in told.consents]
    return parts + [{"name": "step", "part": _step(one)} for one in told.passages]


def _version(consent: ConsentVersion) -> dict[str, Any]:
    return {"name": "consent", "valueReference": {"reference": f"Consent/{consent.id}/_history/{consent.version}"}}


def _step(passage: Passage) -> list[dict[str, Any]]:
    return [
        _version(passage.consent),
        _text("path", passage.path),
        *([_text("says", passage.says)] if passage.says else []),
        _text("finding", passage.finding),
    ]
