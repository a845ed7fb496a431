"""Which passwords are taken: long ones that are not obvious. No rule asks for kinds of characters.

NIST SP 800-63B 3.1.1.2: a minimum length, at least 64 characters permitted, a list of what is commonly used or
expected, nothing about composition, no change by time. https://pages.nist.gov/800-63-4/sp800-63b.html
"""

import re
import unicodedata

from gateway.domain.errors import Invalid

SHORTEST, LONGEST = 12, 256
_LEFT_AT_LEAST = 8
_DIFFERENT_AT_LEAST = 5
_SHORTEST_OF_NAME = 3
_OBVIOUS = (
    "secondopinion", "qwertyuiop", "asdfghjkl", "consilium", "microsoft", "passwort", "password", "passw0rd",
    "p@ssw0rd", "sifre", "welcome", "letmein", "iloveyou", "sunshine", "football", "princess", "trustno1", "hospital",
    "hastane", "radiology", "qwertzuiop", "qwerty", "qwertz", "zxcvbnm", "yxcvbnm", "monkey", "dragon", "abcdefghijkl",
    "abcdef", "abc123", "1q2w3e4r5t", "1qaz2wsx", "changeme", "changeit", "default", "secret", "gateway", "reviewer",
    "coordinator", "administrator", "administrator1", "admin", "12345678901234567890", "1234567890", "123456789",
    "0123456789", "9876543210", "12345678", "123456", "12345", "1234", "123",
)  # fmt: skip
"""Words of lists of passwords that were found elsewhere, of keyboards, of this trade and of the gateway itself."""
_LONGEST_FIRST = sorted(_OBVIOUS, key=len, reverse=True)


def normalised(password: str) -> str:
    """The same characters however a keyboard composes them (SP 800-63B 3.1.1.2: NFKC before hashing)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *, name: str) -> str:
    """The password as it is hashed. Raises Invalid, which says the rule and never the password."""
    kept = normalised(password)
    if not SHORTEST <= len(kept) <= LONGEST:
        raise Invalid(f"a password has {SHORTEST} to {LONGEST} characters; a few words make a good one", at="password")
    if not _has_surprise(kept, name):
        raise Invalid(
            "that password is easy to guess: it is made of common words, your name or repetitions", at="password"
        )
    return kept


def _has_surprise(password: str, name: str) -> bool:
    """Whether enough is left of it without what everybody tries first."""
    left = password.casefold()
    if len(set(left)) < _DIFFERENT_AT_LEAST or _is_repetition(left):
        return False
    of_name = [part for part in re.split(r"[._-]", name) if len(part) >= _SHORTEST_OF_NAME]
    for word in (name, *of_name, *_LONGEST_FIRST):
        left = left.replace(word, "")
    return len(left) >= _LEFT_AT_LEAST


def _is_repetition(text: str) -> bool:
    """Whether a piece of it, twice or more, is all of it: then it is found in itself, moved by that piece."""
    return text in (text + text)[1:-1]
