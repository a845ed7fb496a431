"""What has to be read again and must not be readable in the database or a cookie: AES-256-GCM (NIST SP 800-38D).

The key is derived from the installation's own (HKDF, RFC 5869) under a label, so that it is another one than that of
pseudonyms, and yet on every machine and in every backup where it is needed.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.domain.errors import Invalid

_LABEL = b"consilium people seal 1"
_NONCE_BYTES = 12


def seal(key: bytes, purpose: str, plain: bytes) -> bytes:
    """Opened only for the same purpose, which says what it is and whose."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, plain, purpose.encode())


def unseal(key: bytes, purpose: str, sealed: bytes) -> bytes:
    """What was sealed. Raises Invalid for anything that was not sealed with this key for this purpose."""
    try:
        return _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError) as exc:
        raise Invalid("it was not sealed here, or for something else") from exc


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(key))
