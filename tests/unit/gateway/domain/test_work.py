"""Backoff grows, is bounded, is jittered, and obeys Retry-After."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.work import RetryPolicy

NOW = datetime(2026, 3, 2, tzinfo=UTC)
POLICY = RetryPolicy(base_s=5, cap_s=60)


@pytest.mark.parametrize(("attempt", "ceiling_s"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (5000, 60)])
def test_the_wait_lies_between_now_and_a_doubling_ceiling(attempt: int, ceiling_s: float) -> None:
    assert POLICY.next_try(NOW, attempt, 0.0) == NOW
    almost = POLICY.next_try(NOW, attempt, 0.999)
    assert NOW + timedelta(seconds=ceiling_s * 0.99) < almost < NOW + timedelta(seconds=ceiling_s)


def test_retry_after_is_a_minimum_and_no_maximum() -> None:
    assert POLICY.next_try(NOW, 1, 0.5, retry_after_s=90) == NOW + timedelta(seconds=90)
    assert POLICY.next_try(NOW, 5, 0.5, retry_after_s=1) == NOW + timedelta(seconds=30)
