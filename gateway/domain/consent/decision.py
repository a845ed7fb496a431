"""All consents of a patient together: permit, deny or indeterminate, with the way to it.

The rules, in the order in which they apply: only the newest version of a consent is read, and only what counts
(`standing`); in one consent the deepest provision that matches wins, at equal depth the denial (`evaluate`); across
consents a denial wins; every item needs a permit, and one denied item stops all. Where nothing permits, nothing leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.consent.evaluate import Rule, Ruling, Step, rule_of
from gateway.domain.consent.match import may_name
from gateway.domain.consent.model import Consent, ConsentVersion, Effect, Provision
from gateway.domain.consent.period import FAR_FUTURE
from gateway.domain.consent.request import DisclosureRequest, Item
from gateway.domain.consent.standing import Standing, latest, speaks_of, standings

_IDS_SHOWN = 3


class Outcome(StrEnum):
    """INDETERMINATE is not a denial: it could not be decided, nothing is sent, and it is tried again."""

    PERMIT = "permit"
    DENY = "deny"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True)
class Decision:
    """An outcome with its reasons (sentences without patient data) and the consent versions it rests on.

    Those are the permitting ones, or the denying ones, or, where nothing permits, all that were looked at.
    `valid_until` is the earliest instant (UTC) at which time alone could change it; None: never. `steps` is the way to
    it, provision by provision, in the order of consent ids.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    consents: tuple[ConsentVersion, ...]
    valid_until: datetime | None
    steps: tuple[Step, ...] = ()


def decide(consents: Sequence[Consent], request: DisclosureRequest) -> Decision:
    """May all the items leave for the recipient now?

    `consents` are all of the patient's, every page of them; could one not be loaded or read, do not ask: the answer is
    `indeterminate`. Their order does not matter. A permit says nothing of a transfer to another country.
    """
    if not (request.patient_references or request.patient_identifiers):
        return indeterminate("The patient is not resolved to any reference or identifier.")
    try:
        counted = standings(latest(consents), request)
    except ValueError as error:
        return indeterminate(f"The consents on file contradict themselves: {error}.")
    groups = _groups(request.items, counted)
    kinds = tuple(group[0] for group in groups)
    rulings = tuple(rule_of(one, request, kinds) for one in counted if not one.why_not)
    outcome, consents_used, reasons = _weigh(rulings, groups, counted, request)
    changes_at = min((one.changes_at for one in rulings), default=FAR_FUTURE)
    valid_until = None if changes_at == FAR_FUTURE else changes_at
    return Decision(outcome, reasons, consents_used, valid_until, _steps(counted, rulings))


def indeterminate(reason: str) -> Decision:
    """The decision where the consents could not all be loaded and read: not sent, held, tried again."""
    return Decision(Outcome.INDETERMINATE, (reason,), (), None)


_Finding = tuple[ConsentVersion, Rule]
_Weighed = tuple[Outcome, tuple[ConsentVersion, ...], tuple[str, ...]]


def _weigh(
    rulings: tuple[Ruling, ...],
    groups: tuple[tuple[Item, ...], ...],
    counted: tuple[Standing, ...],
    request: DisclosureRequest,
) -> _Weighed:
    denied = _findings(rulings, groups, Effect.DENY)
    if denied:
        return Outcome.DENY, _versions(denied), _sentences(denied, "denies", request)
    permitted = _findings(rulings, groups, Effect.PERMIT)
    bare = [group for at, group in enumerate(groups) if all(one.rules[at] is None for one in rulings)]
    if groups and not bare:
        return Outcome.PERMIT, _versions(permitted), _sentences(permitted, "permits", request)
    looked_at = tuple(one.consent.key for one in counted)
    return Outcome.DENY, looked_at, (_nothing_permits(bare, counted, request), *_near_misses(counted, rulings, request))


def _findings(
    rulings: tuple[Ruling, ...], groups: tuple[tuple[Item, ...], ...], effect: Effect
) -> dict[_Finding, list[Item]]:
    found: dict[_Finding, list[Item]] = {}
    for ruling in rulings:
        for rule, group in zip(ruling.rules, groups, strict=True):
            if rule and rule.effect is effect:
                found.setdefault((ruling.consent.key, rule), []).extend(group)
    return found


def _versions(findings: dict[_Finding, list[Item]]) -> tuple[ConsentVersion, ...]:
    return tuple(sorted({key for key, _ in findings}))


def _sentences(findings: dict[_Finding, list[Item]], verb: str, request: DisclosureRequest) -> tuple[str, ...]:
    return tuple(f"{key}, {rule.path}, {verb} {_count(items, request)}." for (key, rule), items in findings.items())


def _count(items: list[Item], request: DisclosureRequest) -> str:
    total = len(request.items)
    if len(items) == total:
        return f"all items ({total})"
    shown = ", ".join(f"{one.resource_class}/{one.id}" for one in items[:_IDS_SHOWN])
    return f"{len(items)} of {total} items ({shown}{', ...' if len(items) > _IDS_SHOWN else ''})"


def _nothing_permits(bare: list[tuple[Item, ...]], counted: tuple[Standing, ...], request: DisclosureRequest) -> str:
    if not request.items:
        return "The request names no item."
    if not counted:
        return "No consent of this patient is on file."
    items = [item for group in bare for item in group]
    return f"No consent permits {_count(items, request)} to leave ({request.flow})."


def _near_misses(
    counted: tuple[Standing, ...], rulings: tuple[Ruling, ...], request: DisclosureRequest
) -> tuple[str, ...]:
    """Why those that speak of this flow and may speak of this recipient do not permit; no other one could."""
    ignored = [
        f"{one.consent.key} does not count: {one.why_not}."
        for one in counted
        if one.why_not and _is_near(one.consent, request)
    ]
    near = [ruling for ruling in rulings if _is_near(ruling.consent, request)]
    steps = [step for ruling in near for step in ruling.steps if step.effect is not None and not step.matched]
    return (*ignored, *(f"{one.consent}, {one.path} ({one.effect}), does not apply: {one.why}." for one in steps))


def _is_near(consent: Consent, request: DisclosureRequest) -> bool:
    is_for_them = consent.provision is None or may_name(consent.provision, consent.root_effect, request.recipient)
    return is_for_them and speaks_of(consent, request)


def _steps(counted: tuple[Standing, ...], rulings: tuple[Ruling, ...]) -> tuple[Step, ...]:
    walked = {one.consent.key: one.steps for one in rulings}
    steps: list[Step] = []
    for one in counted:
        key = one.consent.key
        steps.extend([Step(key, "Consent", None, False, one.why_not)] if one.why_not else walked[key])
    return tuple(steps)


def _groups(items: tuple[Item, ...], counted: tuple[Standing, ...]) -> tuple[tuple[Item, ...], ...]:
    """The items, those together between which no provision can tell: the first stands for all."""
    named = frozenset(one for standing in counted for one in _data(standing.consent.provision))
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        named_by = item.all_references & named if named else named
        groups.setdefault((item.resource_class, item.codes, item.date, named_by), []).append(item)
    return tuple(map(tuple, groups.values()))


def _data(provision: Provision | None) -> frozenset[str]:
    if provision is None:
        return frozenset()
    return provision.data.union(*map(_data, provision.provisions))
