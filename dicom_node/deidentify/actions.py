"""Which one thing is done to an attribute: Table E.1-1, the rules for masked tags, and what the table leaves open.

Compound actions depend on the attribute's Type in the object's IOD. Without IOD tables they are resolved so that type 1
and type 2 attributes stay conformant: D where D is offered, else Z; the UID sequences (X/Z/U*) keep their items with
mapped UIDs. A later resolution by IOD will remove more.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

from dicom_node.deidentify.table import BASIC, STRICTER


class Action(StrEnum):
    """PS3.15 E.3.1: what to do with one attribute."""

    KEEP = "K"
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    MAP_UID = "U"


_RESOLVED: Final = {
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "Z/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U*": Action.MAP_UID,
}

_UNNAMED_BY_VR: Final = {
    "PN": Action.EMPTY,
    "DA": Action.EMPTY,
    "DT": Action.EMPTY,
    "TM": Action.EMPTY,
    "AE": Action.REMOVE,
    "LT": Action.REMOVE,
    "ST": Action.REMOVE,
    "UT": Action.REMOVE,
    "UR": Action.REMOVE,
    "UI": Action.MAP_UID,
}
"""Attributes no table names: persons, dates, free text and addresses do not stay because a table is silent."""

_KEPT_THOUGH_FREE_TEXT: Final = frozenset({0x00080114, 0x00080115, 0x00080116, 0x0008010E, 0x00080120, 0x20100010})
"""Description of coding schemes (0008,0110) and Image Display Format: what they hold is defined by their module."""

_CURVES: Final = range(0x5000, 0x5100)
_OVERLAYS: Final = range(0x6000, 0x6100)
_NEVER_IN_A_DATA_SET: Final = 0x0007  # command, file meta and directory groups, PS3.5 7.1 and PS3.10 7.1


def is_named(tag: int) -> bool:
    """True when one of the tables speaks of the attribute."""
    return tag in BASIC or tag in STRICTER


@lru_cache(maxsize=4096)
def action_for(tag: int, vr: str) -> Action:
    """The action for one attribute of a data set, nested or not.

    Private groups (odd), curves (50xx), group lengths (PS3.5 7.2, retired) and groups that do not belong into a data
    set are removed. Overlay planes (60xx) are removed whole: (60xx,3000) and (60xx,4000) by the table; (60xx,0022) and
    (60xx,1500) hold typed text; what would remain is no valid overlay plane.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2 or group <= _NEVER_IN_A_DATA_SET or element == 0 or group in _CURVES or group in _OVERLAYS:
        return Action.REMOVE
    code = BASIC.get(tag) or STRICTER.get(tag)
    if code is not None:
        return _RESOLVED.get(code) or Action(code)
    if tag in _KEPT_THOUGH_FREE_TEXT:
        return Action.KEEP
    return _UNNAMED_BY_VR.get(vr, Action.KEEP)
