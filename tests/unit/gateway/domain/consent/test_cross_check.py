"""The decision against a naive evaluator, now and at every midnight after."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from gateway.domain.consent import Consent, DisclosureRequest, Outcome, decide
from tests.unit.gateway.domain.consent.naive import naive_outcome
from tests.unit.gateway.domain.consent.random_cases import (
    DAYS,
    FIRST_DAY,
    random_consents,
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
