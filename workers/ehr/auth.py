"""How the gateway shows an EHR who it is: nothing, a bearer token from a file, or OAuth client credentials.

RFC 6749 4.4 with client_secret_basic (2.3.1), RFC 6750 2.1. Secrets are read from their files when needed, so a
rotated secret takes effect without a restart.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

import httpx

from gateway.domain.errors import NotAsked, Permanent
from gateway.domain.party import FhirAddress
from workers.ehr.answer import Answer, refuse

EXPIRY_MARGIN = timedelta(seconds=30)
"""A token is renewed this long before it ends, so that it does not end on its way."""

DEFAULT_LIFETIME_S = 300.0
"""Where the token answer names no expires_in (RFC 6749 5.1 only recommends it)."""

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")

Exchange = Callable[[httpx.Request], Answer]


@dataclass(frozen=True)
class AccessToken:
    """`use_until` is None for a token from a file: it holds until the EHR says otherwise."""

    value: str = field(repr=False)
    use_until: datetime | None


class TokenCache:
    """Tokens by the address they were fetched for; one cache serves all deliveries of a worker process."""

    def __init__(self) -> None:
        self._tokens: dict[FhirAddress, AccessToken] = {}
        self._lock = threading.Lock()

    def get(self, address: FhirAddress, now: datetime) -> AccessToken | None:
        """The token that may still be used at `now`."""
        with self._lock:
            token = self._tokens.get(address)
        is_usable = token is not None and (token.use_until is None or now < token.use_until)
        return token if is_usable else None

    def put(self, address: FhirAddress, token: AccessToken) -> None:
        """Keep the token for this address."""
        with self._lock:
            self._tokens[address] = token

    def drop(self, address: FhirAddress, value: str) -> None:
        """Forget the token that was refused, unless another thread has renewed it already."""
        with self._lock:
            held = self._tokens.get(address)
            if held is not None and held.value == value:
                del self._tokens[address]


def is_protected(address: FhirAddress) -> bool:
    """Whether this address wants a token at all."""
    return bool(address.token_file or address.token_url)


def bearer_token(
    address: FhirAddress, cache: TokenCache, exchange: Exchange, clock: Callable[[], datetime]
) -> str | None:
    """The token to show, from the cache, the file or the token endpoint; None where the EHR wants none.

    Raises: NotAsked when a file cannot be read or the client is refused; Transient when the token endpoint is away.
    """
    if not is_protected(address):
        return None
    now = clock()
    token = cache.get(address, now)
    if token is None:
        token = _from_file(address) if address.token_file else _fetch(address, exchange, now)
        cache.put(address, token)
    return token.value


def _from_file(address: FhirAddress) -> AccessToken:
    return AccessToken(_checked(_read_secret(address.token_file, "token_file"), "token_file"), None)


def _fetch(address: FhirAddress, exchange: Exchange, now: datetime) -> AccessToken:
    answer = exchange(_token_request(address))
    if not answer.is_success:
        raise _refused(answer, now)
    try:
        parsed = json.loads(answer.body)
    except (ValueError, RecursionError) as exc:
        raise NotAsked("The token endpoint answered without JSON; check token_url.") from exc
    if not isinstance(parsed, dict) or str(parsed.get("token_type", "")).lower() != "bearer":
        raise NotAsked("The token endpoint answered without a bearer token; check token_url.")
    value = parsed.get("access_token")
    lifetime = parsed.get("expires_in")
    seconds = float(lifetime) if isinstance(lifetime, int) and 0 <= lifetime <= 10**7 else DEFAULT_LIFETIME_S
    use_until = now + max(timedelta(seconds=seconds) - EXPIRY_MARGIN, timedelta())
    return AccessToken(_checked(value if isinstance(value, str) else "", "the token endpoint's answer"), use_until)


def _token_request(address: FhirAddress) -> httpx.Request:
    secret = _read_secret(address.client_secret_file, "client_secret_file")
    pair = f"{quote_plus(address.client_id)}:{quote_plus(secret)}"
    headers = {
        "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    try:
        return httpx.Request("POST", address.token_url, headers=headers, data={"grant_type": "client_credentials"})
    except httpx.InvalidURL as exc:
        raise NotAsked("token_url is not a URL.") from exc


def _refused(answer: Answer, now: datetime) -> Exception:
    """400 and 401 name an error code (RFC 6749 5.2); the description is free text and is left out."""
    error = refuse(answer, now)
    if not isinstance(error, Permanent):
        return error
    try:
        parsed = json.loads(answer.body)
    except (ValueError, RecursionError):
        parsed = None
    code = parsed.get("error") if isinstance(parsed, dict) else None
    told = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
    return NotAsked(
        f"The token endpoint answered HTTP {answer.status}{told}; check client_id, client_secret_file and token_url."
    )


def _read_secret(path: str, setting: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        raise NotAsked(f"The {setting} of this endpoint cannot be read: {path or 'none is named'}.") from exc


def _checked(token: str, source: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise NotAsked(f"No usable token in {source}: it is empty or holds characters that a header may not carry.")
    return token
