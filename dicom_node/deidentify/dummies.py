"""Values that say nothing: one constant for each VR, and sequences in which every value is such a constant.

PS3.15 E.3.1, action D: a non-zero length value that may be a dummy and is consistent with the VR.
"""

from collections.abc import Callable
from typing import Final

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_node.deidentify.values import (
    BYTES_VRS,
    CHARACTER_SET,
    DEFAULT_CHARACTER_SET,
    TEXT_VRS,
    Element,
    element_at,
    is_empty,
    items_of,
    representation,
)

DUMMY_TEXT: Final = "REMOVED"
DUMMY_DATE: Final = "19000101"
_CODING_SCHEME: Final = "99CONSILIUM"  # PS3.16 8.2: private designators begin with 99

_DUMMY_BY_VR: Final[dict[str, object]] = {
    "AE": DUMMY_TEXT,
    "AS": "000D",
    "CS": DUMMY_TEXT,
    "DA": DUMMY_DATE,
    "DS": "0",
    "DT": f"{DUMMY_DATE}000000",
    "IS": "0",
    "LO": DUMMY_TEXT,
    "LT": DUMMY_TEXT,
    "PN": DUMMY_TEXT,
    "SH": DUMMY_TEXT,
    "ST": DUMMY_TEXT,
    "TM": "000000",
    "UC": DUMMY_TEXT,
    "UR": "urn:removed",
    "UT": DUMMY_TEXT,
    "AT": 0,
    "FD": 0.0,
    "FL": 0.0,
    "SL": 0,
    "SS": 0,
    "SV": 0,
    "UL": 0,
    "US": 0,
    "UV": 0,
}
_DUMMY_BYTES: Final = bytes(8)  # a multiple of every OB, OW, OL, OF, OD and OV word
_STAYS_INSIDE: Final = frozenset({"CS", "UI"})
_CODE_MARKS: Final = (0x00080100, 0x00080119, 0x00080120)  # Code Value, Long Code Value, URN Code Value


def empty_element(element: Element) -> DataElement:
    """The element without a value (action Z); a sequence without items."""
    vr = representation(element)
    if vr == "SQ":
        return DataElement(element.tag, "SQ", Sequence())
    return DataElement(element.tag, vr, "" if vr in TEXT_VRS else None)


def dummy_element(element: Element) -> DataElement:
    """The element with the constant of its VR (action D). What is empty stays empty: it says nothing already.

    Sequences are not handled here; an unknown VR has no dummy and is emptied.
    """
    vr = representation(element)
    if is_empty(element):
        return empty_element(element)
    if vr in BYTES_VRS and vr != "UN":
        return DataElement(element.tag, "OB" if vr == "OB or OW" else vr, _DUMMY_BYTES)
    if vr not in _DUMMY_BY_VR:
        return empty_element(element)
    return DataElement(element.tag, vr, _DUMMY_BY_VR[vr])


def dummy_items(items: Sequence, treat: Callable[[Dataset], Dataset]) -> Sequence:
    """The items with every value a dummy, so that what was required inside is still there.

    `treat` handles an item by the table first (removing what it removes, mapping UIDs). Coded strings keep their
    value, codes (PS3.3 8.8) become one code of ours.
    """
    return Sequence(_dummy_item(treat(item)) for item in items)


def _dummy_item(treated: Dataset) -> Dataset:
    if any(mark in treated for mark in _CODE_MARKS):
        return _dummy_code()
    item = Dataset()
    for tag in sorted(treated.keys()):
        element = element_at(treated, tag)
        vr = representation(element)
        if vr == "SQ":
            item.add(
                DataElement(
                    tag, "SQ", Sequence(_dummy_item(child) for child in items_of(element, DEFAULT_CHARACTER_SET))
                )
            )
        elif vr in _STAYS_INSIDE or tag == CHARACTER_SET:
            item[tag] = element
        else:
            item.add(dummy_element(element))
    return item


def _dummy_code() -> Dataset:
    code = Dataset()
    code.CodeValue = DUMMY_TEXT
    code.CodingSchemeDesignator = _CODING_SCHEME
    code.CodeMeaning = "Removed"
    return code
