"""An accounting of disclosures in words that a patient understands; the codes stay beside them."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.domain.record import FOUND_THERE

_PURPOSES = {"TREAT": "treatment", "COC": "coordination of care"}
"""http://terminology.hl7.org/CodeSystem/v3-ActReason"""
_STORED = "0x0000"
_WARNING = "0xB"
"""PS3.7 C.4.1, PS3.4 B.2.3: status codes of C-STORE."""


def purposes_in_words(codes: Iterable[str]) -> str:
    """`treatment (TREAT)`, those of several by `or`."""
    return " or ".join(f"{_PURPOSES[code]} ({code})" if code in _PURPOSES else code for code in codes)


def status_in_words(status: str) -> str:
    """What the other side answered: a DICOM status, an HTTP status, or what stands in the place of one."""
    if status == _STORED:
        return f"stored (DICOM {status})"
    if status.upper().startswith(_WARNING.upper()):
        return f"stored with a warning (DICOM {status})"
    if status == FOUND_THERE:
        return f"found there when asked for ({status})"
    return f"stored ({status})" if status.startswith("HTTP 2") else status


def moment_in_words(moment: datetime, time_zone: str) -> str:
    """To the minute, on the clocks of that zone, with their offset from UTC."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"
