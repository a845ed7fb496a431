import pytest

from dicom_node.deidentify.actions import Action, action_for, is_named


@pytest.mark.parametrize(
    ("tag", "vr", "action"),
    [
        (0x00080022, "DA", Action.EMPTY),  # X/Z
        (0x00080021, "DA", Action.DUMMY),  # X/D
        (0x00180010, "LO", Action.DUMMY),  # Z/D
        (0x00080080, "LO", Action.DUMMY),  # X/Z/D
        (0x00081140, "SQ", Action.MAP_UID),  # X/Z/U*
        (0x0020000D, "UI", Action.MAP_UID),
        (0x00081030, "LO", Action.REMOVE),
        (0x00420010, "ST", Action.EMPTY),
        (0x00700081, "LO", Action.EMPTY),
        (0x04000561, "SQ", Action.REMOVE),
        (0x00280010, "US", Action.KEEP),
        (0x00080000, "UL", Action.REMOVE),  # group length
        (0x00020016, "AE", Action.REMOVE),  # file meta in a data set
        (0x00140104, "PN", Action.EMPTY),  # a person no table names
        (0x00081190, "UR", Action.REMOVE),
        (0x00081167, "UI", Action.MAP_UID),
        (0x0018003A, "ST", Action.REMOVE),
        (0x00080115, "ST", Action.KEEP),  # name of a coding scheme
    ],
)
def test_action(tag: int, vr: str, action: Action) -> None:
    assert action_for(tag, vr) is action


def test_is_named() -> None:
    assert is_named(0x00100010)
    assert is_named(0x00080051)
    assert not is_named(0x00280010)
