"""Syslog over TLS (RFC 5425): messages with their length in front, and an end that the collector confirms.

The protocol acknowledges nothing. So each call has a connection of its own and closes it in order (RFC 5425 4.4): what
answers our close_notify has read everything before it. Without that answer the messages are sent again.
"""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.errors import Permanent, Transient
from gateway.domain.hooks import reach
from gateway.domain.syslog_message import framed

_CONNECT_S, _ANSWER_S = 10.0, 30.0
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


def send_messages(address: SyslogAddress, messages: Sequence[bytes]) -> None:
    """Send them in order; they have been read when this returns.

    Raises Transient where the collector is away or breaks off, it may have some of them then, and Permanent for a file
    that cannot be used.
    """
    context = _context(address)
    where = f"{address.host}:{address.port}"
    try:
        with (
            socket.create_connection((address.host, address.port), timeout=_CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=address.host, suppress_ragged_eofs=False) as stream,
        ):
            stream.settimeout(_ANSWER_S)
            reach("syslog.before_send")
            stream.sendall(b"".join(framed(message) for message in messages))
            stream.unwrap()  # an end without the collector's close_notify is an error
            reach("syslog.after_send")
    except ssl.SSLCertVerificationError as exc:
        raise Transient(f"the syslog collector {where} is not trusted: {exc.verify_message}") from exc
    except ssl.SSLError as exc:
        said = f"is not to be had or broke off ({exc.strerror or type(exc).__name__})"
        if isinstance(exc, ssl.SSLEOFError) or exc.reason == _NO_END:
            said = "ended without close_notify (RFC 5425 4.4), so nobody knows what it has read"
        raise Transient(f"the syslog collector {where} {said}") from exc
    except OSError as exc:
        said = exc.strerror or type(exc).__name__
        raise Transient(f"the syslog collector {where} is not to be had or broke off ({said})") from exc


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
