"""How a DICOM UID is spelt."""

import re

_LENGTH = 64
_COMPONENTS = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def is_valid_uid(text: str) -> bool:
    """The syntax of PS3.5 9.1: at most 64 characters, components without leading zeros."""
    return len(text) <= _LENGTH and _COMPONENTS.fullmatch(text) is not None
