"""Who may call the strict EHR: nobody is asked, a fixed bearer token, or the client-credentials grant.

RFC 6749 4.4 (grant), RFC 6750 3 (challenge), https://hl7.org/fhir/smart-app-launch/conformance.html (discovery).
"""

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.peers.strict_ehr_records import Refusal


@dataclass
class Access:
    """`bearer_token` is a fixed one; with `client_id` tokens are given out at /token for `token_lifetime_s`."""

    bearer_token: str = ""
    client_id: str = ""
    client_secret: str = ""
    token_lifetime_s: int = 300
    tokens_given_out: int = 0
    _expiries: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_required(self) -> bool:
        return bool(self.bearer_token or self.client_id)

    def check(self, authorization: str) -> None:
        """Raise Refusal 401 unless the header carries a token that holds."""
        scheme, _, token = authorization.partition(" ")
        if not self.is_required:
            return
        if scheme.lower() != "bearer" or not self._holds(token):
            raise Refusal(401, "login", "no access token that holds")

    def give_out(self, authorization: str, form: Mapping[str, str]) -> dict[str, str | int] | None:
        """A new token for the right client (HTTP Basic or form fields); None for anybody else."""
        if not self.client_id or _credentials(authorization, form) != (self.client_id, self.client_secret):
            return None
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._expiries[token] = time.monotonic() + self.token_lifetime_s
            self.tokens_given_out += 1
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.token_lifetime_s}

    def revoke_all(self) -> None:
        """Let no token given out so far be good any more."""
        with self._lock:
            self._expiries.clear()

    def _holds(self, token: str) -> bool:
        if self.bearer_token and secrets.compare_digest(token.encode(), self.bearer_token.encode()):
            return True
        with self._lock:
            return self._expiries.get(token, 0) > time.monotonic()


def _credentials(authorization: str, form: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
