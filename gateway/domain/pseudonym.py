"""How a pseudonym is spelt."""

from gateway.domain.errors import Invalid

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 characters that people do not confuse (no 0, 1, I, L, O); 31 is prime, which the check character needs."""

_PREFIX_LENGTH = 2


def check_prefix(prefix: str) -> str:
    """What a pseudonym begins with: one or two letters of ALPHABET, so that it never starts with a zero."""
    if not (1 <= len(prefix) <= _PREFIX_LENGTH and prefix.isalpha() and set(prefix) <= set(ALPHABET)):
        raise Invalid("a prefix is one or two letters A-Z without I, L and O", at="prefix")
    return prefix
