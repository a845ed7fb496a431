from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom.datadict import dictionary_has_tag

from dicom_node.deidentify.actions import Action, action_for
from dicom_node.deidentify.table import BASIC, EDITION, STRICTER

_CATEGORIES = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
_DIFFERENCES: dict[int, tuple[str | None, str | None]] = {}
"""Tag -> (ours, theirs): empty because both state edition 2026c."""


def _peer() -> tuple[dict[int, str], set[tuple[int, ...]]]:
    database = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    rows = [(tuple(tag), action) for name, action in _CATEGORIES.items() for tag in database[name]]
    plain = {group << 16 | element: action for (group, element), action in (row for row in rows if len(row[0]) == 2)}
    return plain, {tag for tag, _ in rows if len(tag) > 2}


def test_basic_column_agrees_with_the_table_of_an_independent_tool() -> None:
    theirs, masked = _peer()
    tags = BASIC.keys() | theirs.keys()
    differing = {tag: (BASIC.get(tag), theirs.get(tag)) for tag in tags if BASIC.get(tag) != theirs.get(tag)}
    assert differing == _DIFFERENCES
    assert masked, "the masked rows (curves, overlays) are rules in actions"


def test_masked_rows_are_removed() -> None:
    _, masked = _peer()
    for group, element, *_ in masked:
        assert action_for(group << 16 | element, "LO") is Action.REMOVE
    assert action_for(0x50103000, "OW") is Action.REMOVE
    assert action_for(0x60FE0022, "LO") is Action.REMOVE
    assert action_for(0x00091001, "LO") is Action.REMOVE


def test_table_is_complete_and_stricter_rows_add_to_it() -> None:
    assert len(BASIC) > 640
    assert not BASIC.keys() & STRICTER.keys()
    assert all(dictionary_has_tag(tag) for tag in STRICTER)
