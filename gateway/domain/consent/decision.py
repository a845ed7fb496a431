"""All consents of a patient together: permit, deny or indeterminate, with the way to it.

The rules, in the order in which they apply: only the newest version of a consent is read, and only what counts
(`standing`); in one consent the deepest provision that matches wins, at equal depth the denial (`evaluate`); across
consents a denial wins; every item needs a permit, and one denied item stops all. Where nothing permits, nothing leaves.
What consents permit still needs an instrument where it would leave the custodian's country (`transfer`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property, partial

from gateway.domain.consent.evaluate import Rule, Ruling, Step, rule_of, steps_of
from gateway.domain.consent.model import DENY, PERMIT, Consent, ConsentVersion, Effect, Provision
from gateway.domain.consent.period import FAR_FUTURE
from gateway.domain.consent.question import Question
from gateway.domain.consent.reasons import Findings, near_misses, nothing_permits, sentences
from gateway.domain.consent.request import DisclosureRequest, Item
from gateway.domain.consent.standing import Standing, latest, standings
from gateway.domain.consent.transfer import Transfer, transfer_between

_Winners = dict[tuple[ConsentVersion, str], list[int]]
"""On which groups of items the provision at which path of which consent took effect."""


class Outcome(StrEnum):
    """INDETERMINATE is not a denial: it could not be decided, nothing is sent, and it is tried again."""

    PERMIT = "permit"
    DENY = "deny"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True)
class Decision:
    """An outcome with its reasons (sentences without patient data) and the consent versions it rests on.

    Those are the permitting ones, or the denying ones, or, where nothing permits, all that were looked at.
    `valid_until` is the earliest instant (UTC) at which time alone could change it; None: never. `payload_sha256` is
    the hash of what was decided on. `transfer` is what was found of the way to another country; None where it was not
    asked.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    consents: tuple[ConsentVersion, ...]
    valid_until: datetime | None
    payload_sha256: str
    transfer: Transfer | None = None
    _way: Callable[[], tuple[Step, ...]] = field(default=tuple, compare=False, repr=False)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The way to it, provision by provision, in the order of consent ids; walked when it is first asked for."""
        return self._way()


def decide(consents: Sequence[Consent], request: DisclosureRequest) -> Decision:
    """May all the items leave for the recipient now?

    `consents` are all of the patient's, every page of them; could one not be loaded or read, do not ask: the answer is
    `indeterminate`. Their order does not matter.
    """
    if not (request.patient_references or request.patient_identifiers):
        return indeterminate("The patient is not resolved to any reference or identifier.", request.payload_sha256)
    try:
        counted = standings(latest(consents), request)
    except ValueError as error:
        return indeterminate(f"The consents on file contradict themselves: {error}.", request.payload_sha256)
    question = Question(request, _groups(request.items, counted))
    rulings = tuple(rule_of(one, question) for one in counted if not one.why_not)
    outcome, consents_used, reasons = _weigh(rulings, counted, question)
    changes_at = min([FAR_FUTURE, *(one.changes_at for one in rulings), *(one.changes_at for one in counted)])
    way, sha256 = partial(_steps, counted, question), request.payload_sha256
    decision = Decision(outcome, reasons, consents_used, _instant(changes_at), sha256, _way=way)
    return _carried(decision, request, changes_at)


def indeterminate(reason: str, payload_sha256: str) -> Decision:
    """The decision where the consents could not all be loaded and read: not sent, held, tried again."""
    return Decision(Outcome.INDETERMINATE, (reason,), (), None, payload_sha256)


def _carried(decision: Decision, request: DisclosureRequest, changes_at: datetime) -> Decision:
    """What consents permit, where it may also leave the country; a denial of theirs stays as it is."""
    now, countries = request.now.astimezone(request.zone), (request.custodian_country, request.recipient.country)
    transfer = transfer_between(*countries, request.transfer_instruments, now)
    if decision.outcome is not Outcome.PERMIT:
        return replace(decision, transfer=transfer)
    outcome = Outcome.PERMIT if transfer.is_permitted else Outcome.DENY
    reasons = (*decision.reasons, *([transfer.why] if transfer.instrument or not transfer.is_permitted else []))
    valid_until = _instant(min(changes_at, transfer.changes_at))
    return replace(decision, outcome=outcome, reasons=reasons, valid_until=valid_until, transfer=transfer)


def _instant(changes_at: datetime) -> datetime | None:
    return None if changes_at == FAR_FUTURE else changes_at


def _weigh(
    rulings: tuple[Ruling, ...], counted: tuple[Standing, ...], question: Question
) -> tuple[Outcome, tuple[ConsentVersion, ...], tuple[str, ...]]:
    request = question.request
    found, bare = _found(rulings, len(question.groups))
    denied, permitted = found[DENY], found[PERMIT]
    if denied:
        return Outcome.DENY, _versions(denied), sentences(_items_of(denied, question), "denies", request)
    if question.groups and not bare:
        return Outcome.PERMIT, _versions(permitted), sentences(_items_of(permitted, question), "permits", request)
    looked_at = tuple(one.consent.key for one in counted)
    misses = near_misses(counted, partial(steps_of, question=question), request)
    return Outcome.DENY, looked_at, (nothing_permits(question.items_of(bare), counted, request), *misses)


def _found(rulings: tuple[Ruling, ...], groups: int) -> tuple[dict[Effect, _Winners], tuple[int, ...]]:
    """By effect, on which groups which provision of which consent won, and the groups on which none did."""
    denied: _Winners = {}
    permitted: _Winners = {}
    bare = set(range(groups))
    for ruling in rulings:
        hits: dict[Rule, list[int]] = {}
        for at, rule in enumerate(ruling.rules):
            if rule is not None:
                hits.setdefault(rule, []).append(at)
        for rule, groups_hit in hits.items():
            won = denied if rule.effect is DENY else permitted
            won[ruling.consent.key, rule.path] = groups_hit
            bare.difference_update(groups_hit)
    return {DENY: denied, PERMIT: permitted}, tuple(sorted(bare))


def _items_of(winners: _Winners, question: Question) -> Findings:
    return {place: question.items_of(tuple(hits)) for place, hits in winners.items()}


def _versions(winners: _Winners) -> tuple[ConsentVersion, ...]:
    return tuple(sorted({key for key, _ in winners}))


def _steps(counted: tuple[Standing, ...], question: Question) -> tuple[Step, ...]:
    steps: list[Step] = []
    for one in counted:
        is_read = not one.why_not
        steps.extend(steps_of(one, question) if is_read else [Step(one.consent.key, "Consent", None, (), one.why_not)])
    return tuple(steps)


def _groups(items: tuple[Item, ...], counted: tuple[Standing, ...]) -> tuple[tuple[Item, ...], ...]:
    """The items, those together between which no provision can tell: the first stands for all."""
    named = frozenset().union(*(_named(one.consent.provision) for one in counted if one.consent.provision))
    groups: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        named_by = item.all_references & named if named else named
        told_apart = (item.resource_class, item.codes, item.mentions, item.date, item.labels, named_by)
        groups.setdefault(told_apart, []).append(item)
    return tuple(map(tuple, groups.values()))


def _named(root: Provision) -> set[str]:
    """The single resources that a provision and those inside of it name."""
    found = set(root.data)
    level = root.provisions
    while level:
        found.update(*[one.data for one in level if one.data])
        level = tuple([inner for one in level for inner in one.provisions])
    return found
