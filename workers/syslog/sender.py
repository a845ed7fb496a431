"""Syslog over TLS (RFC 5425): messages with their length in front, and an end that the collector confirms.

The protocol acknowledges nothing. So each call has a connection of its own and closes it in order (RFC 5425 4.4): who
answers our close_notify has read everything before it. Without that answer the messages are sent again.

A collector may close in order by itself, and its close_notify does not say which of the two it is. So we wait until its
TCP has taken every message and a while has passed in silence, and only then send ours; what comes before is no answer.
After the answer TCP has to end without a reset: a host that closes what it has not read sends one (RFC 1122 4.2.2.13).
What that leaves: a collector that reads nothing, sends its close_notify by itself while ours is on its way, and still
empties the connection. And whoever ends the TLS connection, such as a balancer, confirms for itself alone; nothing says
that a collector has stored what it read.
"""

import fcntl
import socket
import ssl
import struct
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.errors import Permanent, Transient, Unanswered
from gateway.domain.hooks import reach
from gateway.domain.syslog_message import framed

_CONNECT_S = 10.0
_GLANCE_S = 0.05
_NO_END = "UNEXPECTED_EOF_WHILE_READING"
"""OpenSSL 3's reason for an end without close_notify, where Python has not made an SSLEOFError of it."""


@dataclass(frozen=True)
class SyslogAddress:
    """Where the collector listens. The files are PEM; '' for the system's CAs, and for no certificate of our own."""

    host: str
    port: int
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


@dataclass(frozen=True)
class Patience:
    """How long it has to be silent before our close_notify, and how long each answer may take.

    The silence is longer than TCP takes to send a lost segment again, and a busy collector to tell that it closes.
    """

    quiet_s: float = 2.0
    answer_s: float = 30.0


def send_messages(
    address: SyslogAddress,
    messages: Sequence[bytes],
    *,
    patience: Patience = Patience(),  # frozen
) -> None:
    """Send them in order; the other end has read them when this returns, as far as that can be known (see above).

    Raises Transient where the collector is away, Unanswered where it may have some of them, and Permanent for a file
    that cannot be used.
    """
    context = _context(address)
    where = f"the syslog collector {address.host}:{address.port}"
    try:
        plain = socket.create_connection((address.host, address.port), timeout=_CONNECT_S)
        with plain, context.wrap_socket(plain, server_hostname=address.host, suppress_ragged_eofs=False) as stream:
            _send_and_close(stream, messages, patience, where)
    except ssl.SSLCertVerificationError as exc:
        raise Transient(f"{where} is not trusted: {exc.verify_message}") from exc
    except OSError as exc:
        raise Transient(f"{where} is not to be had ({_said(exc)})") from exc


def _send_and_close(stream: ssl.SSLSocket, messages: Sequence[bytes], patience: Patience, where: str) -> None:
    """Raises Unanswered: from the first byte on the collector may have some of them."""
    stream.settimeout(patience.answer_s)
    try:
        reach("syslog.before_send")
        stream.sendall(b"".join(framed(message) for message in messages))
        _await_silence(stream, patience, where)
        stream.settimeout(patience.answer_s)
        _await_end(stream.unwrap())  # an end without the collector's close_notify is an error
        reach("syslog.after_send")
    except TimeoutError as exc:
        said = "did not answer our close_notify (RFC 5425 4.4) in time, or takes nothing more"
        raise Unanswered(f"{where} {said}, so nobody knows what it has read") from exc
    except OSError as exc:
        said = f"broke off ({_said(exc)})"
        if isinstance(exc, ssl.SSLEOFError) or (isinstance(exc, ssl.SSLError) and exc.reason == _NO_END):
            said = "ended without close_notify (RFC 5425 4.4)"
        raise Unanswered(f"{where} {said}, so nobody knows what it has read") from exc


def _await_silence(stream: ssl.SSLSocket, patience: Patience, where: str) -> None:
    """Until its TCP has taken everything and has then been silent. Raises Unanswered for a close_notify that came."""
    stream.settimeout(_GLANCE_S)
    taken_by = time.monotonic() + patience.answer_s
    quiet_since = None
    while quiet_since is None or time.monotonic() < quiet_since + patience.quiet_s:
        try:
            if not stream.recv(1024):
                said = "closed the connection before our close_notify came, perhaps without reading (RFC 5425 4.4)"
                raise Unanswered(f"{where} {said}; see whether it or a balancer limits connections")
        except TimeoutError:
            pass
        if quiet_since is None and _untaken_bytes(stream) == 0:
            quiet_since = time.monotonic()
        elif quiet_since is None and time.monotonic() > taken_by:
            raise TimeoutError


def _untaken_bytes(stream: ssl.SSLSocket) -> int:
    """What the collector's TCP has not acknowledged (TIOCOUTQ, tcp(7)); other systems than Linux count otherwise."""
    if sys.platform != "linux":
        return 0
    count: int = struct.unpack("i", fcntl.ioctl(stream.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    return count


def _await_end(plain: socket.socket) -> None:
    """After both have sent close_notify. Raises ConnectionResetError; one that keeps TCP open has still answered."""
    plain.settimeout(_CONNECT_S)
    try:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(1024):
            pass
    except TimeoutError:
        return


def _said(exc: OSError) -> str:
    return exc.strerror or type(exc).__name__


def _context(address: SyslogAddress) -> ssl.SSLContext:
    """Its own each time: `reachability.tls_context` is shared, and would show our certificate to others as well."""
    try:
        context = ssl.create_default_context()
        if address.ca_file:
            context.load_verify_locations(address.ca_file)
        if address.certificate_file:
            context.load_cert_chain(address.certificate_file, address.key_file)
    except (ssl.SSLError, OSError) as exc:
        raise Permanent("a file that [syslog] names is no certificate or key in PEM, or cannot be read") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Some releases of Python 3.11 take an end without close_notify for one with it (SSL_CTX_set_options(3)).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context
