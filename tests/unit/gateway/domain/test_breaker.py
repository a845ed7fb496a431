"""A destination that fails is left alone, for longer each time, and one job looks whether it is back."""

from datetime import UTC, datetime, timedelta

from gateway.domain.breaker import CLOSED, Breaker, DestinationPolicy

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = DestinationPolicy(in_flight=4, threshold=3, cool_down_s=30, cap_s=100)


def _failed(times: int, now: datetime = NOW) -> Breaker:
    breaker = CLOSED
    for _ in range(times):
        breaker = breaker.after_failure(now, POLICY)
    return breaker


def test_a_few_failures_change_nothing() -> None:
    assert _failed(2).room(NOW, POLICY) == 4


def test_the_third_in_a_row_opens_it_and_one_may_look_after_the_cool_down() -> None:
    opened = _failed(3)
    assert opened.room(NOW + timedelta(seconds=29), POLICY) == 0
    assert opened.room(NOW + timedelta(seconds=30), POLICY) == 1
    assert opened.failing_since == NOW


def test_each_further_failure_doubles_the_wait_up_to_the_cap() -> None:
    waits = [(_failed(times).probe_at or NOW) - NOW for times in (3, 4, 5, 50)]
    assert [wait.total_seconds() for wait in waits] == [30, 60, 100, 100]


def test_the_destination_s_own_wish_is_a_minimum() -> None:
    opened = _failed(2).after_failure(NOW, POLICY, retry_after_s=500)
    assert opened.probe_at == NOW + timedelta(seconds=500)


def test_while_one_looks_no_other_goes() -> None:
    looking = _failed(3).probing(NOW + timedelta(seconds=30), POLICY)
    assert looking.room(NOW + timedelta(seconds=31), POLICY) == 0
    assert looking.room(NOW + timedelta(seconds=60), POLICY) == 1  # the one that looked said nothing
