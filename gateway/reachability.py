"""Can a host be reached? Name, TCP and TLS, step by step; shared by the DICOM and the FHIR connection tests."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from gateway.domain.diagnosis import Step
from gateway.domain.errors import NotAsked, Permanent

RENEW_WITHIN_DAYS = 21
"""A certificate with fewer days left passes, and its step already names the remedy."""

_CONTEXTS_KEPT = 32
_CERTIFICATE_REMEDIES = {
    9: "Check the clock of this machine; the certificate is not valid yet.",
    10: "Ask the other side to renew its certificate.",
    18: "Register the CA file that signed it, or ask the other side for a certificate of a known CA.",
    19: "Register the CA file that signed it, or ask the other side for a certificate of a known CA.",
    20: "Register the CA file that signed it; the other side may also have to send its intermediate certificates.",
    21: "Ask the other side to send its intermediate certificates.",
    62: "Register the host name that stands in the certificate, or ask for a certificate with this name.",
    64: "Register the host name that stands in the certificate, not the IP address.",
}
"""X509_V_ERR_* of OpenSSL (x509_vfy.h) -> what a person can do."""


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """A verifying client context: the system's CAs, and those of `ca_file` (PEM) beside them.

    Reading the system's CAs takes 0.1 s, so a thread gets the same context until one of the files changes. Threads
    share none: an HTTP client may set protocols on a context while another begins a handshake with it.

    Raises: NotAsked when `ca_file` cannot be read or holds no certificate.
    """
    system_file = ssl.get_default_verify_paths().cafile or ""
    return _read_context(ca_file, (_state(system_file), _state(ca_file)), threading.get_ident())


def _state(path: str) -> tuple[int, int, int] | None:
    """What changes when the file is written or replaced; None when it cannot be looked at."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=_CONTEXTS_KEPT)
def _read_context(ca_file: str, _states: object, _thread: int) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not ca_file:
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise NotAsked(f"The CA file {ca_file} cannot be read or holds no PEM certificate.") from exc
    return context


def _machine_now() -> datetime:
    """The clock by which OpenSSL, too, decides whether a certificate is valid."""
    return datetime.now(UTC)


def reach_host(
    host: str,
    port: int,
    *,
    is_tls: bool,
    ca_file: str = "",
    timeout_s: float = 5.0,
    now: Callable[[], datetime] = _machine_now,
) -> list[Step]:
    """Name resolution, TCP and (with `is_tls`) the certificate and its expiry; ends with the first failed step.

    It opens one connection and sends nothing but a TLS handshake. All steps ok does not promise that the service
    behind the port is the one that is meant.
    """
    addresses, step = _resolve(host, port)
    steps = [step]
    if not addresses:
        return steps
    connection, step = _connect(addresses, port, timeout_s)
    steps.append(step)
    if connection is None:
        return steps
    with connection:
        if is_tls:
            steps.append(_check_certificate(connection, host, ca_file, now))
    return steps


def _resolve(host: str, port: int) -> tuple[list[str], Step]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        remedy = "Check the spelling of the host name and the DNS settings of this machine."
        return [], Step("name resolution", False, f"{host} has no address.", remedy)
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    return addresses, Step("name resolution", True, f"{host} is {', '.join(addresses)}.")


def _connect(addresses: list[str], port: int, timeout_s: float) -> tuple[socket.socket | None, Step]:
    failure = Step("TCP", False, f"No connection to port {port}.")
    for address in addresses:
        started = time.monotonic()
        try:
            connection = socket.create_connection((address, port), timeout=timeout_s)
        except OSError as exc:
            failure = _describe_refusal(exc, address, port, timeout_s)
            continue
        took_ms = (time.monotonic() - started) * 1000
        return connection, Step("TCP", True, f"Connected to {address} port {port} in {took_ms:.0f} ms.")
    return None, failure


def _describe_refusal(exc: OSError, address: str, port: int, timeout_s: float) -> Step:
    if isinstance(exc, ConnectionRefusedError):
        remedy = "Check the port, and that the service is running there."
        return Step("TCP", False, f"{address} refuses connections on port {port}.", remedy)
    if isinstance(exc, TimeoutError):
        remedy = "A firewall probably drops the packets: ask for this machine's address to be let through."
        return Step("TCP", False, f"No answer from {address} port {port} within {timeout_s:g} s.", remedy)
    remedy = "Check the route and the firewall between the two machines."
    return Step("TCP", False, f"{address} port {port} cannot be reached ({exc.strerror or 'no route'}).", remedy)


def _check_certificate(connection: socket.socket, host: str, ca_file: str, now: Callable[[], datetime]) -> Step:
    name = "TLS certificate"
    try:
        with tls_context(ca_file).wrap_socket(connection, server_hostname=host) as secured:
            return _describe_expiry(secured, now())
    except Permanent as exc:
        return Step(name, False, str(exc), "Name a readable PEM file.")
    except ssl.SSLCertVerificationError as exc:
        remedy = _CERTIFICATE_REMEDIES.get(exc.verify_code, "Ask the other side to mend its certificate.")
        return Step(name, False, f"The certificate is not trusted: {exc.verify_message}.", remedy)
    except TimeoutError:
        return Step(name, False, "The handshake was not answered in time.", "Check that this port speaks TLS.")
    except (ssl.SSLError, OSError) as exc:
        reason = getattr(exc, "reason", None) or "connection closed"
        return Step(name, False, f"No TLS handshake ({reason}).", "Check that this port speaks TLS 1.2 or newer.")


def _describe_expiry(secured: ssl.SSLSocket, now: datetime) -> Step:
    certificate = secured.getpeercert() or {}
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (expires - now).days
    detail = f"{secured.version()}, valid until {expires:%Y-%m-%d} ({days} days)."
    remedy = "Ask the other side to renew its certificate soon." if days < RENEW_WITHIN_DAYS else ""
    return Step("TLS certificate", True, detail, remedy)
