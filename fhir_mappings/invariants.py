"""The invariants of R4 that have to hold of what the gateway takes in, each as a small predicate on one element.

| table | what is in it |
| --- | --- |
| INVARIANTS | rules that are checked here, by the class of the element that they are about |
| ELSEWHERE | rules that something else keeps, or that nothing can break here, each with the reason |

They are those of the types that are stored and of every data type these can hold, of severity error
(https://hl7.org/fhir/R4/conformance-rules.html#constraints). The keys are R4's; the definition of a rule stands on the page
of its type (https://hl7.org/fhir/R4/patient.html, https://hl7.org/fhir/R4/datatypes.html and so on). They are predicates
rather than FHIRPath because they are few, because the engines lack what the others need (`htmlChecks`, `%ucum`, `resolve`),
and because their traces would print values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from fhir_mappings.search_dates import span_of
from gateway.domain.errors import Invalid

UCUM = "http://unitsofmeasure.org"
CONSENT_SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
"""R4 prints `something` in place of this system in ppc-2 to ppc-5; their sentences say what is meant."""

Holder = Mapping[str, Any]


@dataclass(frozen=True)
class Invariant:
    """`holds` of an element of the class `on`; `remedy` says what has to be so. `where` is the element below it, if one."""

    key: str
    on: str
    holds: Callable[[Holder], bool]
    remedy: str
    where: str = ""


def check_invariants(element: Holder, kind: str, *, at: str) -> None:
    """Do nothing when every invariant of the class `kind` holds of the element. Raises Invalid naming the first."""
    for one in _BY_CLASS.get(kind, ()):
        if not one.holds(element):
            place = f"{at}.{one.where}" if one.where else at
            raise Invalid(f"{one.remedy} ({one.key})", at=place)


def _any_of(*names: str) -> Callable[[Holder], bool]:
    return lambda element: any(_has(element, name) for name in names)


def _not_both(one: str, other: str) -> Callable[[Holder], bool]:
    return lambda element: not (_has(element, one) and _has(element, other))


def _one_of(one: str, other: str) -> Callable[[Holder], bool]:
    return lambda element: _has(element, one) != _has(element, other)


def _needs(name: str, needed: str) -> Callable[[Holder], bool]:
    return lambda element: not _has(element, name) or _has(element, needed)


def _has(element: Holder, name: str) -> bool:
    """Also where a primitive has extensions instead of a value, and of a choice (`value[x]`) in any type."""
    if name.endswith("[x]"):
        return any(_is_choice(key.removeprefix("_"), name[:-3]) for key in element)
    return name in element or f"_{name}" in element


def _is_choice(key: str, name: str) -> bool:
    return key.startswith(name) and key[len(name) : len(name) + 1].isupper()


def _is_period_in_order(period: Holder) -> bool:
    if "start" not in period or "end" not in period:
        return True
    return not _is_later(str(period["start"]), str(period["end"]))


def _is_in_order(task: Holder) -> bool:
    if "authoredOn" not in task or "lastModified" not in task:
        return True
    return not _is_later(str(task["authoredOn"]), str(task["lastModified"]))


def _is_later(one: str, other: str) -> bool:
    """As moments where both have a time; else as far as both are precise, in the words of their authors."""
    if "T" in one and "T" in other:
        return _moment(one) > _moment(other)
    precision = min(len(one.partition("T")[0]), len(other.partition("T")[0]))
    return one[:precision] > other[:precision]


def _moment(text: str) -> datetime:
    return span_of(text, UTC)[0]


def _is_range_in_order(element: Holder) -> bool:
    low, high = element.get("low", {}), element.get("high", {})
    units = [{name: one.get(name) for name in ("unit", "system", "code")} for one in (low, high)]
    if "value" not in low or "value" not in high or units[0] != units[1]:
        return True
    return bool(Decimal(low["value"]) <= Decimal(high["value"]))


def _is_ratio_whole(ratio: Holder) -> bool:
    has_both = "numerator" in ratio and "denominator" in ratio
    has_none = "numerator" not in ratio and "denominator" not in ratio
    return has_both or (has_none and "extension" in ratio)


def _is_in_ucum(quantity: Holder) -> bool:
    return _needs("value", "code")(quantity) and quantity.get("system", UCUM) == UCUM


def _is_age(age: Holder) -> bool:
    return _is_in_ucum(age) and ("value" not in age or Decimal(age["value"]) > 0)


def _is_count(count: Holder) -> bool:
    is_whole = "value" not in count or "." not in str(getattr(count["value"], "literal", count["value"]))
    return _is_in_ucum(count) and count.get("code", "1") == "1" and is_whole


def _is_duration(duration: Holder) -> bool:
    return "code" not in duration or (duration.get("system") == UCUM and _has(duration, "value"))


def _is_not_negative(name: str) -> Callable[[Holder], bool]:
    return lambda element: name not in element or Decimal(element[name]) >= 0


def _is_offset_from_no_meal(repeat: Holder) -> bool:
    when = repeat.get("when", [])
    return not _has(repeat, "offset") or (bool(when) and not {"C", "CM", "CD", "CV"} & set(when))


def _is_triggered(trigger: Holder) -> bool:
    kind = str(trigger.get("type", ""))
    needed = {"named-event": "name", "periodic": "timing[x]"}.get(kind, "data" if kind.startswith("data-") else "")
    return not needed or _has(trigger, needed)


def _is_never_at_home(name: str) -> Callable[[Holder], bool]:
    return lambda element: not any(one.get("use") == "home" for one in element.get(name, []))


def _names_patient(scope: str) -> Callable[[Holder], bool]:
    def holds(consent: Holder) -> bool:
        codings = consent.get("scope", {}).get("coding", [])
        is_of_scope = any(one.get("system") == CONSENT_SCOPES and one.get("code") == scope for one in codings)
        return not is_of_scope or _has(consent, "patient")

    return holds


_QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration")
_NO_HOME = "an organisation has no home; give it another `use`, or none"
_OF_WHOM = "a consent of this scope says whose it is: give its patient"

INVARIANTS: tuple[Invariant, ...] = (
    Invariant("age-1", "Age", _is_age, "an age has a code of UCUM beside its value, and is more than 0"),
    Invariant("att-1", "Attachment", _needs("data", "contentType"), "give the contentType of the data"),
    Invariant(
        "cmp-1", "CompositionSection", _any_of("text", "entry", "section"), "give a text, entry or section", "text"
    ),
    Invariant("cmp-2", "CompositionSection", _not_both("emptyReason", "entry"), "an emptyReason stands for no entry"),
    Invariant("cnt-3", "Count", _is_count, "a count is a whole number of the UCUM code 1"),
    Invariant(
        "cpt-2", "ContactPoint", _needs("value", "system"), "say by `system` what the value is (phone, email, ...)"
    ),
    Invariant("dis-1", "Distance", _is_in_ucum, "a distance has a code of UCUM beside its value"),
    Invariant(
        "drq-1", "DataRequirementCodeFilter", _one_of("path", "searchParam"), "give path or searchParam, not both"
    ),
    Invariant(
        "drq-2", "DataRequirementDateFilter", _one_of("path", "searchParam"), "give path or searchParam, not both"
    ),
    Invariant("drt-1", "Duration", _is_duration, "a duration has a value and a code of UCUM"),
    Invariant("exp-1", "Expression", _any_of("expression", "reference"), "give an expression or a reference to one"),
    Invariant(
        "ext-1", "Extension", _one_of("extension", "value[x]"), "an extension has a value or extensions, not both"
    ),
    Invariant("inv-1", "Task", _is_in_order, "lastModified is not before authoredOn", "lastModified"),
    Invariant("org-1", "Organization", _any_of("name", "identifier"), "give the organisation a name or an identifier"),
    Invariant("org-2", "Organization", _is_never_at_home("address"), _NO_HOME, "address"),
    Invariant("org-3", "Organization", _is_never_at_home("telecom"), _NO_HOME, "telecom"),
    Invariant(
        *("pat-1", "PatientContact", _any_of("name", "telecom", "address", "organization")),
        "give a contact's name, telecom, address or organization",
    ),
    Invariant("per-1", "Period", _is_period_in_order, "a period does not end before it starts", "end"),
    Invariant("ppc-1", "Consent", _any_of("policy", "policyRule"), "name the policy: give policy or policyRule"),
    Invariant("ppc-2", "Consent", _names_patient("patient-privacy"), _OF_WHOM, "patient"),
    Invariant("ppc-3", "Consent", _names_patient("research"), _OF_WHOM, "patient"),
    Invariant("ppc-4", "Consent", _names_patient("adr"), _OF_WHOM, "patient"),
    Invariant("ppc-5", "Consent", _names_patient("treatment"), _OF_WHOM, "patient"),
    Invariant("prr-1", "ServiceRequest", _needs("orderDetail", "code"), "orderDetail details a code: give it", "code"),
    *(Invariant("qty-3", kind, _needs("code", "system"), "give the system of the unit's code") for kind in _QUANTITIES),
    Invariant("rat-1", "Ratio", _is_ratio_whole, "give numerator and denominator, or neither and an extension"),
    Invariant("rng-2", "Range", _is_range_in_order, "low is not more than high", "high"),
    Invariant("sev-1", "AuditEventEntity", _not_both("name", "query"), "give a name or a query, not both"),
    Invariant("tim-1", "TimingRepeat", _needs("duration", "durationUnit"), "give the unit of the duration"),
    Invariant("tim-2", "TimingRepeat", _needs("period", "periodUnit"), "give the unit of the period"),
    Invariant("tim-4", "TimingRepeat", _is_not_negative("duration"), "a duration is not negative"),
    Invariant("tim-5", "TimingRepeat", _is_not_negative("period"), "a period is not negative"),
    Invariant("tim-6", "TimingRepeat", _needs("periodMax", "period"), "beside periodMax there is a period"),
    Invariant("tim-7", "TimingRepeat", _needs("durationMax", "duration"), "beside durationMax there is a duration"),
    Invariant("tim-8", "TimingRepeat", _needs("countMax", "count"), "beside countMax there is a count"),
    Invariant(
        "tim-9", "TimingRepeat", _is_offset_from_no_meal, "an offset is one from a `when` other than C, CM, CD, CV"
    ),
    Invariant("tim-10", "TimingRepeat", _not_both("timeOfDay", "when"), "give timeOfDay or when, not both"),
    Invariant("trd-1", "TriggerDefinition", _not_both("data", "timing[x]"), "give data or timing, not both"),
    Invariant("trd-2", "TriggerDefinition", _needs("condition", "data"), "a condition needs data"),
    Invariant("trd-3", "TriggerDefinition", _is_triggered, "give what the trigger's type needs: name, timing or data"),
)

ELSEWHERE: Mapping[str, str] = {
    "ele-1": "fhir_mappings.validation refuses empty objects, arrays, strings and stray nulls wherever they stand",
    "dom-2": "fhir_mappings.contained",
    "dom-3": "fhir_mappings.contained",
    "dom-4": "fhir_mappings.contained",
    "dom-5": "fhir_mappings.contained",
    "ref-1": "fhir_mappings.references: a fragment has to be the id of a contained resource",
    "txt-1": "fhir_mappings.narrative",
    "txt-2": "fhir_mappings.narrative",
    **{
        f"bdl-{number}": "no Bundle is stored: fhir_mappings.bundle reads a transaction, and none may be contained"
        for number in (1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12)
    },
}
"""Key -> where it is kept, or why it cannot be broken."""

_BY_CLASS = {
    kind: tuple(rules) for kind, rules in groupby(sorted(INVARIANTS, key=lambda one: one.on), key=lambda one: one.on)
}
