"""What every use case needs, wired once by a composition root and passed as the first argument."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.domain.blobs import Blobs
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.store.engine import Database


@dataclass(frozen=True)
class Core:
    """The stores, the clock and the few settings that rules depend on.

    `pseudonym_key` keys the HMAC behind pseudonymous UIDs and tokens; tokens begin with `token_prefix`. `quiet_period`
    is the silence after which a study is taken to be complete for now.
    """

    database: Database
    blobs: Blobs
    now: Callable[[], datetime]
    pseudonym_key: bytes = field(repr=False)
    token_prefix: str
    quiet_period: timedelta
    retry: RetryPolicy
    destinations: DestinationPolicy
    institution: Institution
