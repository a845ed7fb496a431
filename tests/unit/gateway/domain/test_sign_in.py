"""Delays grow and end; sessions end by disuse and by age."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.sign_in import ACCOUNT, SECOND_FACTOR, Patience, SessionLimits

MOMENT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_wait_doubles_up_to_its_longest() -> None:
    patience = Patience(3, timedelta(seconds=10))
    waits = [patience.wait_after(failures).total_seconds() for failures in range(9)]
    assert waits == [0, 0, 0, 1, 2, 4, 8, 10, 10]
    assert patience.wait_after(10**9) == timedelta(seconds=10)


def test_nobody_guesses_a_code_in_a_year() -> None:
    """SP 800-63B allows a hundred attempts in a row; what comes after has to be as slow as the longest wait."""
    a_day = timedelta(days=1)
    assert a_day / SECOND_FACTOR.wait_after(100) == 24
    assert ACCOUNT.wait_after(100) <= timedelta(minutes=1)


@pytest.mark.parametrize(
    ("seen_s", "age_s", "is_over"), [(0, 0, False), (59, 599, False), (60, 60, True), (0, 600, True)]
)
def test_a_session_ends_by_disuse_and_by_age(seen_s: int, age_s: int, is_over: bool) -> None:
    limits = SessionLimits(idle=timedelta(seconds=60), lifetime=timedelta(seconds=600))
    created_at, seen_at = MOMENT - timedelta(seconds=age_s), MOMENT - timedelta(seconds=seen_s)
    assert limits.is_over(created_at=created_at, seen_at=seen_at, now=MOMENT) is is_over
