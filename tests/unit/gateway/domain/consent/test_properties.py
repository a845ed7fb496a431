"""What must hold of the decision for any consents whatever, and that its steps lead to it."""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, Phase, given, settings

from gateway.domain.consent import (
    Consent,
    Decision,
    DisclosureRequest,
    Effect,
    Item,
    Moment,
    Outcome,
    Period,
    Provision,
    decide,
    explain,
)
from tests.unit.gateway.domain.consent.random_cases import LAST_DAY, random_day
from tests.unit.gateway.domain.consent.strategies import consents, leaves, picks, requests

QUICK = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@QUICK
@given(consents, leaves, requests, picks)
def test_one_more_denial_never_permits_more(
    before: list[Consent], leaf: Provision, asked: DisclosureRequest, pick: Random
) -> None:
    at = pick.randrange(len(before))
    stricter = [*before]
    root = _with(before[at].provision or Provision(), replace(leaf, type=Effect.DENY), pick)
    stricter[at] = replace(before[at], provision=root)
    assert not _opens(before, stricter, asked)


@QUICK
@given(consents, consents, leaves, requests)
def test_one_more_dissent_never_permits_more(
    before: list[Consent], others: list[Consent], leaf: Provision, asked: DisclosureRequest
) -> None:
    dissent = replace(others[0], id="dissent", provision=replace(leaf, type=Effect.DENY))
    assert not _opens(before, [*before, dissent], asked)


@QUICK
@given(consents, requests, picks)
def test_a_shorter_period_never_permits_more(before: list[Consent], asked: DisclosureRequest, pick: Random) -> None:
    shorter = [replace(one, provision=_shortened(one.provision, one.root_effect, pick)) for one in before]
    assert not _opens(before, shorter, asked)


@QUICK
@given(consents, requests)
def test_the_order_of_consents_does_not_matter(given_: list[Consent], asked: DisclosureRequest) -> None:
    assert decide(given_[::-1], asked) == decide(given_, asked)


@QUICK
@given(consents, requests, picks)
def test_one_item_less_never_turns_a_permit_into_a_denial(
    given_: list[Consent], asked: DisclosureRequest, pick: Random
) -> None:
    at = pick.randrange(len(asked.items))
    fewer = replace(asked, items=asked.items[:at] + asked.items[at + 1 :])
    if fewer.items and decide(given_, asked).outcome is Outcome.PERMIT:
        assert decide(given_, fewer).outcome is Outcome.PERMIT


@QUICK
@given(consents, requests)
def test_the_steps_lead_to_the_decision(given_: list[Consent], asked: DisclosureRequest) -> None:
    decision = decide(given_, asked)
    assert _replayed(decision, asked) is decision.outcome
    told = explain(given_, asked, decision)
    assert told.answer.startswith("Yes" if decision.outcome is Outcome.PERMIT else "No")
    assert [one.path for one in told.passages] == [step.path for step in decision.steps]


def _replayed(decision: Decision, asked: DisclosureRequest) -> Outcome:
    """The outcome by the steps alone: of each consent the deepest that applies, at equal depth the denial."""
    says = {(item, key): _winner(decision, item, key) for item in asked.items for key in _keys(decision)}
    if Effect.DENY in says.values():
        return Outcome.DENY
    is_covered = all(any(says[item, key] for key in _keys(decision)) for item in asked.items)
    is_carried = decision.transfer is not None and decision.transfer.is_permitted
    return Outcome.PERMIT if asked.items and is_covered and is_carried else Outcome.DENY


def _keys(decision: Decision) -> list[object]:
    return list(dict.fromkeys(step.consent for step in decision.steps))


def _winner(decision: Decision, item: Item, key: object) -> Effect | None:
    applying = [step for step in decision.steps if step.consent == key and item in step.items]
    return max(applying, key=lambda step: (step.depth, step.effect is Effect.DENY)).effect if applying else None


def _opens(before: list[Consent], after: list[Consent], asked: DisclosureRequest) -> bool:
    return decide(before, asked).outcome is not Outcome.PERMIT and decide(after, asked).outcome is Outcome.PERMIT


def _with(provision: Provision, denial: Provision, random: Random) -> Provision:
    """The provision with a denial somewhere inside of it."""
    inner = provision.provisions
    if inner and random.random() < 0.5:
        at = random.randrange(len(inner))
        return replace(provision, provisions=(*inner[:at], _with(inner[at], denial, random), *inner[at + 1 :]))
    return replace(provision, provisions=(*inner, denial))


def _shortened(provision: Provision | None, effect: Effect | None, random: Random) -> Provision | None:
    """The same, in which permits end sooner; those apart that have a denial inside, which would end with them."""
    if provision is None:
        return None
    inner = tuple(filter(None, (_shortened(one, one.type, random) for one in provision.provisions)))
    provision = replace(provision, provisions=inner)
    if effect is Effect.DENY or _denies(provision) or random.random() < 0.5:
        return provision
    old = provision.period or Period()
    ends = (old.end or Moment.parse(LAST_DAY), Moment.parse(random_day(random)))
    return replace(provision, period=Period(old.start, min(ends, key=lambda one: one.text)))


def _denies(provision: Provision) -> bool:
    return any(one.type is Effect.DENY or _denies(one) for one in provision.provisions)
