"""One conversation with an EHR: its base URL, our credentials, and every answer turned into a result or an error.

https://hl7.org/fhir/R4/http.html
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

import httpx

from fhir_mappings.json_text import FHIR_JSON
from gateway.domain.errors import NotAsked
from gateway.domain.party import FhirAddress
from gateway.reachability import tls_context
from workers.ehr.answer import Answer, Resource, refuse
from workers.ehr.auth import TokenCache, bearer_token
from workers.ehr.exchange import ONE_CONNECTION_PER_REQUEST, Limits, exchange

AS_IT_IS_NOW = {"Cache-Control": "no-cache"}
"""Asks for no answer that was kept from before: HAPI gives a search's result to whoever asks the same for a minute.

RFC 9111 5.2.1.4 , https://hapifhir.io/hapi-fhir/docs/server_jpa/configuration.html#search-result-caching
"""


@dataclass(frozen=True)
class Call:
    """One FHIR interaction. `path` is relative to the base URL; `form` makes it a search by POST.

    The egress grant is checked immediately before it leaves, unless it `is_about_nobody`. `is_write`: a lost connection
    makes the outcome unclear. `tolerated` are statuses that the caller wants to see instead of an error.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    resource: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_about_nobody: bool = False
    is_write: bool = False
    tolerated: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Wiring:
    """What a session is given beside the address; `transport` replaces the network in unit tests.

    `look_again_after_s`: how long the index of an EHR that can only be searched may take to show what was written.
    """

    clock: Callable[[], datetime]
    tokens: TokenCache = field(default_factory=TokenCache)
    limits: Limits = field(default_factory=Limits)
    transport: httpx.BaseTransport | None = None
    look_again_after_s: float = 60.0


class Session:
    """Use as a context manager. Proxies and other settings of the environment are deliberately not read."""

    def __init__(self, address: FhirAddress, *, before_send: Callable[[], None], wiring: Wiring) -> None:
        self.base = base_url(address)
        self._address = address
        self._before_send = before_send
        self._wiring = wiring
        self._client = httpx.Client(
            verify=tls_context(address.ca_file) if self._wiring.transport is None else True,
            timeout=self._wiring.limits.timeout(),
            limits=ONE_CONNECTION_PER_REQUEST,
            trust_env=False,
            follow_redirects=False,
            transport=self._wiring.transport,
        )

    def send(self, call: Call) -> Answer:
        """The answer, where it is 2xx or tolerated. A 401 renews the token once.

        Raises: Transient, Permanent, Ambiguous (see `exchange` and `refuse`), and whatever `before_send` raises.
        """
        token = self.token()
        answer = self._send_once(call, token)
        if answer.status == 401 and token is not None:
            self._wiring.tokens.drop(self._address, token)
            renewed = self.token()
            if renewed != token:
                answer = self._send_once(call, renewed)
        if answer.is_success or answer.status in call.tolerated:
            return answer
        raise refuse(answer, self.now())

    def now(self) -> datetime:
        """The present moment of its wiring."""
        return self._wiring.clock()

    @property
    def look_again_after_s(self) -> float:
        """As its wiring says."""
        return self._wiring.look_again_after_s

    def token(self) -> str | None:
        """The bearer token in use, fetched where there is none yet."""
        return bearer_token(self._address, self._wiring.tokens, self._fetch_token, self._wiring.clock)

    def _send_once(self, call: Call, token: str | None) -> Answer:
        request = self._build(call, token)
        if not call.is_about_nobody:
            self._before_send()
        return exchange(self._client, request, self._wiring.limits, is_write=call.is_write)

    def _fetch_token(self, request: httpx.Request) -> Answer:
        request.extensions = {**request.extensions, "timeout": self._wiring.limits.timeout().as_dict()}
        return exchange(self._client, request, self._wiring.limits, is_write=False)

    def _build(self, call: Call, token: str | None) -> httpx.Request:
        headers = {"Accept": FHIR_JSON, "Accept-Encoding": "identity", "User-Agent": "consilium-gateway"}
        content: bytes | None = None
        if call.resource is not None:
            headers["Content-Type"] = FHIR_JSON
            content = json.dumps(call.resource, ensure_ascii=False).encode()
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self._client.build_request(
            call.method,
            f"{self.base}/{call.path}",
            params=call.query or None,
            data=call.form,
            content=content,
            headers={**headers, **call.headers},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()


def base_url(address: FhirAddress) -> httpx.URL:
    """The service base URL without its last slash. Raises: NotAsked when it is not a plain http(s) URL."""
    try:
        url = httpx.URL(address.base_url.strip().rstrip("/"))
    except httpx.InvalidURL as exc:
        raise NotAsked("The EHR's base URL is not a URL.") from exc
    is_web = url.scheme in ("http", "https") and bool(url.host) and 0 < (url.port or 80) < 65536
    if not is_web or url.query or url.fragment or url.userinfo:
        raise NotAsked("The EHR's base URL has to be http(s)://host[:port]/path, with nothing behind it.")
    return url
