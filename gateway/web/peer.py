"""Who is at the other end of the connection: its address, and the TLS certificate it showed to the proxy.

TLS ends at the proxy in front. What that says in `X-Forwarded-For` and `Client-Cert` (RFC 9440) is believed where the
connection comes from an address that the settings trust, and from nowhere else: anybody can write a header. The proxy
has to remove what callers send under these names.
"""

import base64
import binascii
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from flask import request

from gateway.domain.errors import Invalid
from gateway.domain.network import Address, address_of, counted
from gateway.services.client_proof import Certificate
from gateway.web.edge import Edge, Network

CLIENT_CERTIFICATE = "Client-Cert"
_MOST_CHARACTERS = 16 * 1024


def caller_address(edge: Edge) -> str:
    """The address that called the outermost trusted proxy, or us; of IPv6 its network."""
    return counted(_caller(edge))


def is_caller_in(edge: Edge, networks: Sequence[Network]) -> bool:
    """Whether that address is one of these."""
    return _is_in(_caller(edge), networks)


def _caller(edge: Edge) -> Address | None:
    peer = address_of(request.remote_addr or "")
    if not _is_in(peer, edge.admission.trusted_proxies):
        return peer
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        address = address_of(_without_port(hop.strip()))
        if address is None:
            break
        peer = address
        if not _is_in(address, edge.admission.trusted_proxies):
            break
    return peer


def caller_certificate(edge: Edge) -> Certificate | None:
    """What the proxy has verified; None where the caller showed none. Raises Invalid for a header that is not its."""
    header = request.headers.get(CLIENT_CERTIFICATE)
    if header is None:
        return None
    if not _is_in(address_of(request.remote_addr or ""), edge.admission.trusted_proxies):
        raise Invalid(f"the header {CLIENT_CERTIFICATE} is taken from a trusted proxy alone", at=CLIENT_CERTIFICATE)
    try:
        certificate = x509.load_der_x509_certificate(_byte_sequence(header))
        names = _names(certificate)
    except (ValueError, binascii.Error, x509.DuplicateExtension) as exc:
        raise Invalid(f"the header {CLIENT_CERTIFICATE} is not one certificate in the form of RFC 9440") from exc
    digest = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=")
    return Certificate(digest.decode("ascii"), names)


def _byte_sequence(header: str) -> bytes:
    """RFC 8941 3.3.5: base64 between colons. Two headers arrive joined by a comma, and are none."""
    text = header.strip()
    if len(text) > _MOST_CHARACTERS or len(text) < len("::") or text[0] != ":" or text[-1] != ":":
        raise ValueError("not a byte sequence")
    return base64.b64decode(text[1:-1], validate=True)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in found.value.get_values_for_type(x509.DNSName))


def _without_port(hop: str) -> str:
    """Some proxies write the port too: 192.0.2.1:5678, [2001:db8::1]:443."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.partition(":")
    return host if port.isdigit() else hop


def _is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)
