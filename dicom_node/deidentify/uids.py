"""Which UIDs say what an object is, and which say whose it is."""

from typing import Final

_DICOM_ROOT: Final = "1.2.840.10008."

_NAMES_A_CLASS: Final = frozenset(
    {
        0x00080016,  # SOP Class
        0x0008001A,  # Related General SOP Class
        0x0008001B,  # Original Specialized SOP Class
        0x00080062,  # SOP Classes in Study
        0x0008010C,  # Coding Scheme
        0x00080117,  # Context
        0x00080118,  # Mapping Resource
        0x0008040E,  # Stored Instance Transfer Syntax
        0x00081150,  # Referenced SOP Class
        0x0008115A,  # SOP Classes Supported
        0x00083002,  # Available Transfer Syntax
        0x00340003,  # Flow Transfer Syntax
        0x04000010,  # MAC Calculation Transfer Syntax
        0x04000510,  # Encrypted Content Transfer Syntax
        0x30100052,  # Pertinent SOP Classes in Study
        0x30100053,  # Pertinent SOP Classes in Series
    }
)


def is_well_known(tag: int, uid: str) -> bool:
    """True for a UID registered in PS3.6 Annex A, or in an attribute that names a class rather than an instance.

    Registered ones include the well-known frames of reference and palettes. Private SOP classes stay as they are.
    """
    return tag in _NAMES_A_CLASS or uid.startswith(_DICOM_ROOT)
