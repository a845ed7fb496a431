"""What every use case needs, wired once by a composition root and passed as the first argument."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.report import Institution
from gateway.domain.work import RetryPolicy
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database


@dataclass(frozen=True)
class Core:
    """The stores, the clock and the few settings that rules depend on.

    `pseudonym_key` keys the HMAC behind pseudonymous UIDs and tokens, which begin with
    `token_prefix`. `quiet_period` is the silence after which a
    study is taken to be complete for now.
    """

    database: Database
    blobs: BlobDirectory
    now: Callable[[], datetime]
    pseudonym_key: bytes
    token_prefix: str
    quiet_period: timedelta
    retry: RetryPolicy
    institution: Institution
