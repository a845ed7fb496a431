"""The decision against a naive evaluator, and what must hold for any consents whatever."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from gateway.domain.consent import (
    Consent,
    DisclosureRequest,
    Effect,
    Moment,
    Outcome,
    Period,
    PolicyRule,
    Provision,
    decide,
)
from tests.unit.gateway.domain.consent.naive import naive_outcome
from tests.unit.gateway.domain.consent.random_cases import (
    DAYS,
    FIRST_DAY,
    random_consents,
    random_provision,
    random_request,
)

CASES = 400
Case = tuple[list[Consent], DisclosureRequest]


def cases(seed: int) -> list[Case]:
    random = Random(seed)
    return [(random_consents(random), random_request(random)) for _ in range(CASES)]


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_the_naive_evaluator(seed: int) -> None:
    met: Counter[Outcome] = Counter()
    for consents, request in cases(seed):
        decision = decide(consents, request)
        assert decision.outcome is naive_outcome(consents, request), decision
        met[decision.outcome] += 1
    assert min(met[Outcome.PERMIT], met[Outcome.DENY]) > CASES // 20


def test_time_alone_changes_nothing_before_valid_until() -> None:
    midnights = [datetime.combine(FIRST_DAY + timedelta(days=day), datetime.min.time()) for day in range(-1, DAYS + 2)]
    bounded = 0
    for consents, request in cases(seed=10):
        decision = decide(consents, request)
        edges = [one.replace(tzinfo=request.zone).astimezone(UTC) for one in midnights]
        until = decision.valid_until or edges[-1]
        bounded += decision.valid_until is not None
        assert decision.valid_until is None or (decision.valid_until in edges and decision.valid_until > request.now)
        probes = [edge for edge in edges if request.now < edge < until] + [until - timedelta(microseconds=1)]
        for probe in probes:
            assert naive_outcome(consents, replace(request, now=probe)) is decision.outcome
    assert bounded > CASES // 10


def test_the_order_of_consents_does_not_matter() -> None:
    for consents, request in cases(seed=11):
        assert decide(consents, request) == decide(consents[::-1], request)


def test_one_more_denial_never_permits_more() -> None:
    random = Random(12)
    for consents, request in cases(seed=12):
        denial = replace(random_provision(random, 3), type=Effect.DENY)
        at = random.randrange(len(consents))
        root = consents[at].provision or Provision()
        stricter = [*consents]
        stricter[at] = replace(consents[at], provision=replace(root, provisions=(*root.provisions, denial)))
        assert not _opens(consents, stricter, request)


def test_one_more_dissent_never_permits_more() -> None:
    random = Random(13)
    for consents, request in cases(seed=13):
        dissent = replace(random_consents(random)[0], id="dissent")
        denial = replace(random_provision(random, 3), type=Effect.DENY)
        assert not _opens(consents, [*consents, replace(dissent, provision=denial)], request)


def test_a_shorter_period_never_permits_more_where_nothing_denies() -> None:
    for consents, request in cases(seed=14):
        agreeing = [one for one in consents if one.policy.rule is not PolicyRule.OPTOUT]
        only_permits = [replace(one, provision=_without_denials(one.provision)) for one in agreeing]
        shorter = [replace(one, provision=_ended(one.provision)) for one in only_permits]
        assert not _opens(only_permits, shorter, request)


def test_one_item_less_never_turns_a_permit_into_a_denial() -> None:
    for consents, request in cases(seed=15):
        fewer = replace(request, items=request.items[1:])
        if fewer.items and decide(consents, request).outcome is Outcome.PERMIT:
            assert decide(consents, fewer).outcome is Outcome.PERMIT


def test_steps_and_outcome_agree() -> None:
    for consents, request in cases(seed=16):
        decision = decide(consents, request)
        matched = {step.effect for step in decision.steps if step.matched}
        if decision.outcome is Outcome.PERMIT:
            assert Effect.PERMIT in matched
            assert set(decision.consents) <= {one.consent for one in decision.steps if one.effect is Effect.PERMIT}
        elif matched == {Effect.PERMIT}:
            assert "No consent permits" in decision.reasons[0]
        assert decision.reasons


def _opens(before: list[Consent], after: list[Consent], request: DisclosureRequest) -> bool:
    outcomes = decide(before, request).outcome, decide(after, request).outcome
    return outcomes == (Outcome.DENY, Outcome.PERMIT)


def _without_denials(provision: Provision | None) -> Provision | None:
    if provision is None or provision.type is Effect.DENY:
        return None
    kept = tuple(filter(None, map(_without_denials, provision.provisions)))
    return replace(provision, provisions=kept)


def _ended(provision: Provision | None) -> Provision | None:
    if provision is None:
        return None
    old = provision.period or Period()
    ends = filter(None, (old.end, Moment.parse((FIRST_DAY + timedelta(days=3)).isoformat())))
    return replace(provision, period=Period(old.start, min(ends, key=lambda one: one.text)))
