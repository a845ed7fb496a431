"""What the pages for people work with, and where they are: wired once by the composition root."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from flask import request

from gateway.domain.addresses import is_loopback
from gateway.domain.errors import Forbidden
from gateway.domain.people import RoleGrant, Vouched
from gateway.domain.sign_in import SignInPolicy
from gateway.services.core import Core


class Departure(Protocol):
    """Where the browser goes to the identity provider, and what its answer is held against."""

    @property
    def url(self) -> str:
        """With everything that the provider has to know."""

    @property
    def state(self) -> str:
        """What the answer repeats."""

    @property
    def nonce(self) -> str:
        """What the ID token repeats."""

    @property
    def verifier(self) -> str:
        """What the code is exchanged with (RFC 7636)."""


class Vouching(Protocol):
    """The identity provider (`gateway.openid.provider`)."""

    def depart(self, redirect_uri: str) -> Departure:
        """Raises Unreachable."""

    def vouch(self, *, code: str, redirect_uri: str, nonce: str, verifier: str, now: datetime) -> Vouched:
        """Raises Unauthenticated, Unreachable."""

    def sign_out_url(self, back_to: str) -> str:
        """'' where the provider has none. Raises Unreachable."""


@dataclass(frozen=True)
class Desk:
    """The use cases' core, the rules, and who else may vouch for people; `base_url` as in the settings."""

    core: Core
    policy: SignInPolicy
    base_url: str
    provider: Vouching | None = None
    role_map: Mapping[str, RoleGrant] = field(default_factory=dict)

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https."""
        return self.base_url.startswith("https://")

    @property
    def origin(self) -> str:
        """Scheme, host and port that these pages are at (RFC 6454), never what a Host header says of another machine.

        Raises Forbidden: a password is not typed where anybody on the way can read it.
        """
        parts = urlsplit(self.base_url or f"http://{request.host}")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise Forbidden("people sign in by https: set web.base_url to the https address that they use")
        return f"{parts.scheme}://{parts.netloc}"

    def path(self, path: str) -> str:
        """The path below `base_url`, for links."""
        return f"{urlsplit(self.base_url).path}{path}"

    def url(self, path: str) -> str:
        """The whole address, for others."""
        return f"{self.origin}{self.path(path)}"
