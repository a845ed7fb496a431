"""The certificate the node shows on its TLS port, and whose certificates it asks for."""

import ssl

from gateway.domain.errors import Permanent


def server_context(certificate_file: str, key_file: str, ca_file: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer (PS3.15 B.12). With `ca_file` a caller has to show a certificate that one of its CAs signed.

    All three are PEM files; the first holds our certificate and the intermediate ones. Raises Permanent when one of
    them cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate_file, key_file, password=_no_password)
    except (OSError, ValueError) as exc:
        raise Permanent(
            f"the certificate {certificate_file} and its key {key_file} cannot be used; both have to be readable PEM "
            "files that belong together, the key without a password"
        ) from exc
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as exc:
            raise Permanent(f"the CA file {ca_file} cannot be read or holds no PEM certificate") from exc
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    """Nobody is asked for the password of a key: a program without a terminal would hang."""
    raise ValueError("the key has a password")
