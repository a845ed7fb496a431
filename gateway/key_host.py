"""Fetches the keys that a client publishes: one GET of an address that an administrator registered.

What can be reached through it: nothing but that address. Whoever sends assertions chooses neither the address nor when
it is asked (once a minute at the most); no redirect is followed, no proxy or password of the environment is used, and
nothing of the answer is shown but the keys. Addresses on the inside are allowed: a hospital's keys are often there.
A name that leads elsewhere one day finds a host without the certificate for it.
"""

import re

import httpx

from gateway.deadline import Deadline
from gateway.domain.errors import Permanent, Transient
from gateway.reachability import tls_context

MOST_BYTES = 64 * 1024
TOTAL_TIMEOUT_S = 5.0
_OPERATION_TIMEOUT_S = 3.0
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})", re.IGNORECASE)
_HEADERS = {"Accept": "application/json, application/jwk-set+json", "Accept-Encoding": "identity"}


def fetch_keys(url: str, *, transport: httpx.BaseTransport | None = None) -> tuple[bytes, float]:
    """The body and its max-age in seconds (RFC 9111 5.2.2.1), 0 without one.

    Raises Transient where there is no answer, Permanent for one that is not 200, too long or compressed, and for an
    address that cannot be asked.
    """
    is_plain = url.startswith("http:")
    verify = True if is_plain or transport else tls_context()
    try:
        with httpx.Client(
            verify=verify, timeout=_OPERATION_TIMEOUT_S, trust_env=False, follow_redirects=False, transport=transport
        ) as client:
            request = client.build_request("GET", url, headers=_HEADERS)
            with Deadline(request, TOTAL_TIMEOUT_S):
                return _read(client, request)
    except httpx.InvalidURL as exc:
        raise Permanent("the address of the keys cannot be asked") from exc
    except (httpx.HTTPError, httpx.StreamError) as exc:
        raise Transient(f"the host of the keys gives no answer ({type(exc).__name__})") from exc


def _read(client: httpx.Client, request: httpx.Request) -> tuple[bytes, float]:
    response = client.send(request, stream=True)
    try:
        if response.status_code != httpx.codes.OK:
            raise Permanent(f"the host of the keys answers HTTP {response.status_code}; no redirect is followed")
        if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise Permanent("the host of the keys compresses its answer although it was asked not to")
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise Permanent(f"the keys have more than {MOST_BYTES} bytes")
    finally:
        response.close()
    found = _MAX_AGE.search(response.headers.get("cache-control", ""))
    return bytes(body), float(found[1]) if found else 0.0
