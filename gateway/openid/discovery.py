"""Where the provider's endpoints are and which keys it signs with; both are kept for a while.

https://openid.net/specs/openid-connect-discovery-1_0.html
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.domain.addresses import is_loopback
from gateway.domain.errors import Unreachable
from gateway.openid.exchange import Exchange

_KEPT_S = 3600.0
_KEYS_AGAIN_S = 60.0
_LEFT_ALONE_S = 5.0
"""After a failure: requests that come meanwhile do not hold the threads of the web process one after the other."""
_AWAY = "your identity provider could not be asked just now; try again in a few seconds"
_NOT_ONE = "the identity provider's description of itself cannot be used; ask your administrator"


@dataclass(frozen=True)
class Endpoints:
    """What the relying party needs of the provider's metadata (section 3); `end_session` is '' without one."""

    authorization: str
    token: str
    keys: str
    end_session: str


@dataclass(frozen=True)
class _Kept:
    endpoints: Endpoints
    keys: KeySet
    read_at_s: float


class Discovery:
    """Read at the first need, an hour later again, and at once when a token names a key that is not there."""

    def __init__(self, issuer: str, exchange: Exchange, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._exchange = exchange
        self._clock_s = clock_s
        self._kept: _Kept | None = None
        self._failed_at_s: float | None = None
        self._asking = threading.Lock()

    def endpoints(self) -> Endpoints:
        """Raises Unreachable."""
        return self._read(_KEPT_S).endpoints

    def keys(self, key_id: str | None) -> KeySet:
        """With the key of that id, if the provider has it. Raises Unreachable."""
        kept = self._read(_KEPT_S)
        if key_id is not None and key_id not in {key.kid for key in kept.keys}:
            kept = self._read(_KEYS_AGAIN_S)  # it may have changed its keys (section 10.1.1 of the Core)
            if not self._is_within(kept, _KEYS_AGAIN_S) and key_id not in {key.kid for key in kept.keys}:
                raise Unreachable(_AWAY)  # another thread is about to know
        return kept.keys

    def _read(self, kept_s: float) -> _Kept:
        """One thread asks the provider; whoever comes meanwhile gets at once what is kept, however old."""
        kept = self._kept
        if kept is not None and self._is_within(kept, kept_s):
            return kept
        if not self._asking.acquire(blocking=False):
            if kept is None:
                raise Unreachable(_AWAY)
            return kept
        try:
            return self._asked(kept_s)
        finally:
            self._asking.release()

    def _asked(self, kept_s: float) -> _Kept:
        kept = self._kept
        if kept is not None and self._is_within(kept, kept_s):  # another thread has just asked
            return kept
        if self._failed_at_s is not None and self._clock_s() - self._failed_at_s < _LEFT_ALONE_S:
            raise Unreachable(_AWAY)
        try:
            endpoints = self._endpoints()
            self._kept = kept = _Kept(endpoints, self._keys(endpoints.keys), self._clock_s())
        except Unreachable:
            self._failed_at_s = self._clock_s()
            raise
        return kept

    def _is_within(self, kept: _Kept, kept_s: float) -> bool:
        return self._clock_s() - kept.read_at_s <= kept_s

    def _endpoints(self) -> Endpoints:
        found = self._document(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer:  # section 4.3: it has to be exactly the same
            raise Unreachable(_NOT_ONE)
        return Endpoints(
            authorization=_address(found.get("authorization_endpoint")),
            token=_address(found.get("token_endpoint")),
            keys=_address(found.get("jwks_uri")),
            end_session=_address(found["end_session_endpoint"]) if found.get("end_session_endpoint") else "",
        )

    def _keys(self, url: str) -> KeySet:
        try:
            return KeySet.import_key_set(self._document(url))  # type: ignore[arg-type]  # it checks them itself
        except (JoseError, ValueError, KeyError, TypeError) as exc:
            raise Unreachable(_NOT_ONE) from exc

    def _document(self, url: str) -> dict[str, Any]:
        answer = self._exchange.get(url)
        try:
            found = answer.json() if answer.is_success else None
        except ValueError as exc:
            raise Unreachable(_NOT_ONE) from exc
        if not isinstance(found, dict):
            raise Unreachable(_NOT_ONE)
        return found


def _address(value: object) -> str:
    """An https URL, or one of this machine. Raises Unreachable."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError as exc:
        raise Unreachable(_NOT_ONE) from exc
    if not is_safe or not parts.hostname:
        raise Unreachable(_NOT_ONE)
    return str(value)
