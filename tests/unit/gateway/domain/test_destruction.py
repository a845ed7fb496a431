"""The policy of retention, as the settings say it."""

from datetime import timedelta

from gateway.domain.destruction import RetentionPolicy


def test_no_days_mean_never() -> None:
    assert RetentionPolicy.of_days(close_after_days=0, keep_days=0) == RetentionPolicy(None, None)
    policy = RetentionPolicy.of_days(close_after_days=30, keep_days=365)
    assert policy == RetentionPolicy(timedelta(days=30), timedelta(days=365))
