"""How long sessions last, and how long somebody waits who failed to sign in.

A delay ends by itself: a stranger who fails on purpose can slow a person down and never lock anybody out. What is
guessed at against the second factor is slowed down more, since only who knows the password comes that far.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

FORGOTTEN_AFTER = timedelta(days=1)
"""Failures count until nobody has failed for so long."""


@dataclass(frozen=True)
class Patience:
    """So many failures are free; then the wait doubles with each further one, from a second up to a longest."""

    free: int
    longest: timedelta

    def wait_after(self, failures: int) -> timedelta:
        """How long the next attempt has to wait after so many failures in a row (SP 800-63B 3.2.2)."""
        beyond = failures - self.free
        if beyond < 0:
            return timedelta(0)
        return min(self.longest, timedelta(seconds=2 ** min(beyond, 30)))


ACCOUNT = Patience(4, timedelta(minutes=1))
"""Of one name, from browsers that the person never signed in with; and of one such browser."""
ADDRESS = Patience(20, timedelta(minutes=1))
"""Of one network address, behind which many people may be."""
SECOND_FACTOR = Patience(4, timedelta(hours=1))


@dataclass(frozen=True)
class SessionLimits:
    """When a session ends: unused for `idle`, and `lifetime` after it began in any case (SP 800-63B 5.2)."""

    idle: timedelta
    lifetime: timedelta

    def is_over(self, *, created_at: datetime, seen_at: datetime, now: datetime) -> bool:
        """Whether one of the two has passed."""
        return now - seen_at >= self.idle or now - created_at >= self.lifetime


@dataclass(frozen=True)
class Hashing:
    """The cost of Argon2id (RFC 9106, 4): KiB of memory and passes over it, in one lane."""

    memory_kib: int
    passes: int


@dataclass(frozen=True)
class SignInPolicy:
    """What the settings say of people. Without `has_local_accounts` only an identity provider vouches for them.

    `issuer` is that provider's, '' for none.
    """

    limits: SessionLimits
    hashing: Hashing
    has_local_accounts: bool = True
    issuer: str = ""

    def accepts(self, issuer: str | None) -> bool:
        """Whether people are let in for whom this provider vouches; None: who have a password of ours."""
        return self.has_local_accounts if issuer is None else bool(issuer) and issuer == self.issuer


@dataclass(frozen=True)
class Visitor:
    """Where an attempt comes from: its network address, and the secret of a browser that was here before."""

    address: str
    device: str = field(default="", repr=False)
