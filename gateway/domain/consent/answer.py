"""The three answers to whether one thing covers another; the third makes a permit miss and a deny hit."""

from enum import IntEnum


class Match(IntEnum):
    """Ordered so that OR is `max` and AND is `min`."""

    NO = 0
    UNKNOWN = 1
    YES = 2
