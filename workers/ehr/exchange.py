"""One HTTP request and its answer: capped in size and time, no redirect followed, transport errors translated."""

import ssl
from dataclasses import dataclass
from typing import NoReturn

import httpx

from gateway.deadline import Deadline
from gateway.domain import trace
from gateway.domain.errors import GatewayError, NotAsked, Permanent, Transient, Unanswered, Unreachable
from gateway.domain.hooks import reach
from workers.ehr.answer import Answer

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True)
class Limits:
    """How long and how much the gateway takes from an EHR. `total_timeout_s` bounds one request as a whole."""

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    total_timeout_s: float = 60.0
    max_answer_bytes: int = 64 * 1024 * 1024

    def timeout(self) -> httpx.Timeout:
        """The same limits, per socket operation, as httpx wants them."""
        return httpx.Timeout(self.read_timeout_s, connect=self.connect_timeout_s, pool=self.connect_timeout_s)


ONE_CONNECTION_PER_REQUEST = httpx.Limits(max_connections=4, max_keepalive_connections=0)
"""An idle connection that the other side closes just then would make the outcome of a write unclear for nothing."""


def exchange(client: httpx.Client, request: httpx.Request, limits: Limits, *, is_write: bool) -> Answer:
    """Send once and give the answer, whatever its status.

    Raises: Transient when nothing was sent or a read failed; Unanswered when a write may have been carried out;
    Permanent when the body breaks our limits. After a write the status alone counts: a body that cannot be read
    is given as empty.
    """
    with trace.span("http.send", method=request.method), Deadline(request, limits.total_timeout_s):
        try:
            reach("ehr.before_send")
            response = client.send(request, stream=True, follow_redirects=False)
            reach("ehr.after_send")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            _translate(exc, is_write=is_write)
        try:
            body = _read(response, limits)
        except GatewayError:
            if response.is_success and not is_write:
                raise
            body = b""
        finally:
            response.close()
        trace.note(status=response.status_code)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body)


def _read(response: httpx.Response, limits: Limits) -> bytes:
    # A small compressed body may unfold to gigabytes; identity was asked for.
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Permanent("The EHR compresses its answers although it was asked not to.")
    body = bytearray()
    try:
        for piece in response.iter_bytes():
            body += piece
            if len(body) > limits.max_answer_bytes:
                raise Permanent(f"The EHR's answer is larger than {limits.max_answer_bytes} bytes.")
    except httpx.HTTPError as exc:
        raise Transient("The EHR's answer broke off.") from exc
    return bytes(body)


def _translate(exc: Exception, *, is_write: bool) -> NoReturn:
    if isinstance(exc, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        raise NotAsked("The EHR's address is not an http or https URL.") from exc
    if isinstance(exc, httpx.LocalProtocolError):
        raise NotAsked("The request could not be built for HTTP; check the token of this endpoint.") from exc
    if isinstance(exc, _NOT_SENT):
        raise Unreachable(f"No connection to the EHR ({_describe(exc)}); nothing was sent.") from exc
    if is_write:
        raise Unanswered(f"The connection was lost after the request was sent ({_describe(exc)}).") from exc
    raise Unreachable(f"The EHR did not answer ({_describe(exc)}).") from exc


def _describe(exc: Exception) -> str:
    """A cause in our own words: text of the other side or of the operating system may hold anything."""
    if isinstance(exc, httpx.TimeoutException):
        return "time-out"
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS handshake failed"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        cause = cause.__cause__ or cause.__context__
    return "connection failed"
