"""The three answers to whether one thing covers another; the third makes a permit miss and a deny hit."""

from enum import IntEnum
from typing import Final


class Match(IntEnum):
    """Ordered so that OR is `max` and AND is `min`."""

    NO = 0
    UNKNOWN = 1
    YES = 2


NO: Final = Match.NO
UNKNOWN: Final = Match.UNKNOWN
YES: Final = Match.YES
"""Named here because they are asked for thousands of times: on Python 3.11 `Match.NO` costs as much as four calls."""
