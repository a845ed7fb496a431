"""Pseudonyms and UIDs derived from a key: the same every time, linked to nothing else."""

import hashlib
import hmac

from gateway.domain.errors import Invalid

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 characters that people do not confuse (no 0, 1, I, L, O); 31 is prime, which the check character needs."""

_PREFIX_LENGTH = 2
_TOKEN_LENGTH = 12


def check_prefix(prefix: str) -> str:
    """What a pseudonym begins with: one or two letters of ALPHABET, so that it never starts with a zero."""
    if not (1 <= len(prefix) <= _PREFIX_LENGTH and prefix.isalpha() and set(prefix) <= set(ALPHABET)):
        raise Invalid("a prefix is one or two letters A-Z without I, L and O", at="prefix")
    return prefix


def pseudonymous_uid(key: bytes, scope: str, uid: str) -> str:
    """The UID that replaces `uid` at one destination: `2.25.` and 128 bits of an HMAC-SHA-256 (PS3.5 B.2).

    `scope` names the destination: the same UID in two scopes gives two that cannot be linked without the key.
    """
    digest = _digest(key, "uid", scope, uid)
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def pseudonym_token(key: bytes, scope: str, subject: str, *, prefix: str = "CS") -> str:
    """Twelve upper-case ASCII characters that stand for `subject` in `scope`: prefix, body, check character.

    It fits SH (16) and LO. The body carries 44 to 49 bits: whoever stores tokens refuses a second subject with the same
    one. Raises Invalid for a prefix that `check_prefix` refuses.
    """
    check_prefix(prefix)
    number = int.from_bytes(_digest(key, f"token {prefix}", scope, subject), "big")
    body = ""
    for _ in range(_TOKEN_LENGTH - 1 - len(prefix)):
        number, digit = divmod(number, len(ALPHABET))
        body += ALPHABET[digit]
    return prefix + body + _check_character(prefix + body)


def is_pseudonym_token(text: str) -> bool:
    """True when length and check character hold: one wrong character, or two swapped neighbours, are seen."""
    is_spelt_right = len(text) == _TOKEN_LENGTH and set(text) <= set(ALPHABET) and text[0].isalpha()
    return is_spelt_right and text[-1] == _check_character(text[:-1])


def _check_character(text: str) -> str:
    # Weights 1, 2, 3 ... over a prime modulus see every single error and every swap of neighbours.
    total = sum(weight * ALPHABET.index(letter) for weight, letter in enumerate(text, start=1))
    return ALPHABET[total % len(ALPHABET)]


def _digest(key: bytes, purpose: str, scope: str, subject: str) -> bytes:
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in (p.encode() for p in (purpose, scope, subject)))
    return hmac.new(key, framed, hashlib.sha256).digest()
