"""What a business identifier may be written with, so that two that look the same are the same."""

import unicodedata

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
"""https://www.unicode.org/reports/tr44/#General_Category_Values: controls, formats, no characters, separators."""

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Default ignorable characters of other categories (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point),
variation selectors, and the blank pattern of Braille."""

REMEDY = "send it without white space around it, with single spaces inside and no character that nobody sees"


def is_exact(text: str) -> bool:
    """Whether it is not empty, and nothing in it is invisible but single spaces inside."""
    return all(map(_is_whole, text.split(" ")))


def _is_whole(word: str) -> bool:
    return bool(word) and not any(map(_is_unseen, word))


def _is_unseen(letter: str) -> bool:
    is_selector = any(ord(letter) in one for one in _SELECTORS)
    return is_selector or letter in _UNSEEN or unicodedata.category(letter) in _UNSEEN_CATEGORIES
