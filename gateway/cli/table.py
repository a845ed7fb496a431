"""Aligned columns for people, in time that grows with the number of rows; it imports little, so that an answer begins.

Cells are folded between words: an id is never broken, and where ids alone are wider than the terminal, so is the line.
"""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest

_GAP = "  "
_SHORT = 24
"""A column that is no wider, such as one of times, is not folded."""
_NO_WIDTH = frozenset(("Mn", "Me", "Cf"))
_SHOWN_FORMAT = "\u200b\u200c\u200d"
"""Of the category Cf: what does not turn the direction of a line around."""


def table_lines(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, width: int, whole: Collection[str] = ()
) -> list[str]:
    """The headings and each row, in columns that together fit into `width` where that breaks no word.

    Those with a heading in `whole` are never folded. What would steer a terminal is shown as a replacement character.
    """
    cells = [[_lines(heading) for heading in headings], *([_lines(text) for text in row] for row in rows)]
    natural = [max(_width(line) for row in cells for line in row[place]) for place in range(len(headings))]
    least = [
        natural[place]
        if heading in whole or natural[place] <= _SHORT
        else max(_longest_word(row[place]) for row in cells)
        for place, heading in enumerate(headings)
    ]
    widths = _fitted(natural, least, width - len(_GAP) * (len(headings) - 1))
    return [line for row in cells for line in _printed(row, widths)]


def _lines(text: str) -> list[str]:
    """A cell's lines, as they may be shown."""
    if text.isascii() and text.isprintable():
        return [text]
    return ["".join(map(_shown, line)) for line in text.split("\n")]


def _shown(character: str) -> str:
    is_steering = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "\ufffd" if is_steering and character not in _SHOWN_FORMAT else character


def _width(line: str) -> int:
    """How many columns of a terminal it takes (https://www.unicode.org/reports/tr11/)."""
    if line.isascii():
        return len(line)
    return sum(
        0 if unicodedata.category(one) in _NO_WIDTH else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in line
    )


def _longest_word(lines: Sequence[str]) -> int:
    return max(_width(word) for line in lines for word in line.split(" "))


def _fitted(natural: Sequence[int], least: Sequence[int], available: int) -> Sequence[int]:
    """What is left beside the least that each needs goes to those that want more, by how much they want."""
    wanted, spare = sum(natural) - sum(least), available - sum(least)
    if spare >= wanted:
        return natural
    return [low + (high - low) * max(spare, 0) // wanted for low, high in zip(least, natural, strict=True)]


def _printed(row: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    folded = [
        [part for line in lines for part in _folded(line, width)] for lines, width in zip(row, widths, strict=True)
    ]
    return [
        _GAP.join(part + " " * (width - _width(part)) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*folded, fillvalue="")
    ]


def _folded(line: str, width: int) -> list[str]:
    if _width(line) <= width:
        return [line]
    first, *words = line.split(" ")
    parts = [first]
    for word in words:
        longer = f"{parts[-1]} {word}"
        if _width(longer) <= width:
            parts[-1] = longer
        else:
            parts.append(word)
    return parts
