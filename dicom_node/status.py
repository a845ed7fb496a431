"""What the two-byte DIMSE statuses of C-STORE mean, in both directions.

Received objects: a class of errors.py -> the status we answer (PS3.4 B.2.3, PS3.7 9.1.1.1.9 and Annex C).
Sent objects: the status of the other side -> delivered, read back, try again or ask a person.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    Full,
    GatewayError,
    Invalid,
    Permanent,
    Transient,
    Unreachable,
)

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3: refused, nothing was stored, another try may succeed
SOP_CLASS_MISMATCH = 0xA900  # PS3.4 B.2.3: data set does not match SOP class
CANNOT_UNDERSTAND = 0xC000  # PS3.4 B.2.3: error, cannot understand; 0xC000-0xCFFF are ours to tell apart
CONFLICTING = 0xC001
UNEXPECTED = 0xC0FF
DUPLICATE_SOP_INSTANCE = 0x0111  # PS3.7 C.5.7
SOP_CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 C.5.6: not the SOP class of the presentation context
NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.25
UNRECOGNIZED_OPERATION = 0x0211  # PS3.7 C.5.20


class SopClassMismatch(Invalid):
    """The data set is another object than the command announced."""


_ANSWERS: tuple[tuple[type[GatewayError], int], ...] = (
    (SopClassMismatch, SOP_CLASS_MISMATCH),
    (Invalid, CANNOT_UNDERSTAND),
    (Full, OUT_OF_RESOURCES),
    (Transient, OUT_OF_RESOURCES),  # the one status that invites another try
    (Forbidden, NOT_AUTHORIZED),
    (Conflict, CONFLICTING),
    (GatewayError, CANNOT_UNDERSTAND),
)

STORE_ANSWERS = frozenset({SUCCESS, SOP_CLASS_NOT_SUPPORTED, UNEXPECTED, *(status for _, status in _ANSWERS)})
"""Every status that a data set sent to us can be answered with."""


def answer_to_store(error: GatewayError) -> int:
    """The C-STORE-RSP status for an object that was refused; never SUCCESS."""
    return next(status for kind, status in _ANSWERS if isinstance(error, kind))


class StoreOutcome(StrEnum):
    """What is to be done about an object after its status."""

    DELIVERED = "delivered"
    AMBIGUOUS = "ambiguous"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class StoreVerdict:
    """What a received status means for a delivery; `sentence` is empty only for plain success."""

    outcome: StoreOutcome
    sentence: str


_KNOWN = {
    0x0000: StoreVerdict(StoreOutcome.DELIVERED, ""),
    # PS3.4 B.2.3: warnings are given for an object that was stored
    0xB000: StoreVerdict(StoreOutcome.DELIVERED, "stored with changes: the archive coerced attributes"),
    0xB006: StoreVerdict(StoreOutcome.DELIVERED, "stored with changes: the archive discarded attributes"),
    0xB007: StoreVerdict(StoreOutcome.DELIVERED, "stored, though the archive says it does not match its SOP class"),
    # PS3.7 C.5: general statuses
    0x0001: StoreVerdict(StoreOutcome.DELIVERED, "stored, though an optional attribute is not supported there"),
    0x0107: StoreVerdict(StoreOutcome.DELIVERED, "stored, though some attributes were not recognised there"),
    0x0116: StoreVerdict(StoreOutcome.DELIVERED, "stored, though an attribute value was out of range there"),
    0x0110: StoreVerdict(StoreOutcome.TRANSIENT, "the archive failed while processing the object"),
    0x0111: StoreVerdict(StoreOutcome.AMBIGUOUS, "the archive already holds an object of this UID; read it back"),
    0x0117: StoreVerdict(StoreOutcome.PERMANENT, "the archive finds the SOP Instance UID invalid"),
    0x0119: StoreVerdict(StoreOutcome.PERMANENT, "the archive knows this UID under another SOP class"),
    0x0122: StoreVerdict(StoreOutcome.PERMANENT, "the archive does not store this kind of object"),
    0x0124: StoreVerdict(
        StoreOutcome.PERMANENT, "the archive does not let us store; its administrator has to allow it"
    ),
    0x0210: StoreVerdict(StoreOutcome.TRANSIENT, "the archive saw a message ID twice"),
    0x0211: StoreVerdict(StoreOutcome.PERMANENT, "the archive does not know C-STORE"),
    0x0212: StoreVerdict(StoreOutcome.PERMANENT, "the archive finds an argument of the request mistyped"),
    0x0213: StoreVerdict(StoreOutcome.TRANSIENT, "the archive lacks resources"),
    0xFE00: StoreVerdict(StoreOutcome.TRANSIENT, "the archive cancelled the operation"),
}
_RANGES = (
    (0xA700, 0xA7FF, StoreVerdict(StoreOutcome.TRANSIENT, "the archive is out of resources")),
    (0xA900, 0xA9FF, StoreVerdict(StoreOutcome.PERMANENT, "the archive says the object does not match its SOP class")),
    (0xB000, 0xBFFF, StoreVerdict(StoreOutcome.DELIVERED, "stored with a warning the standard does not name")),
    (0xC000, 0xCFFF, StoreVerdict(StoreOutcome.PERMANENT, "the archive cannot understand the object")),
    # PS3.7 C.4: the remaining failure codes, and pending, which C-STORE does not have
    (0xA000, 0xAFFF, StoreVerdict(StoreOutcome.PERMANENT, "the archive refused the object")),
    (0x0100, 0x02FF, StoreVerdict(StoreOutcome.PERMANENT, "the archive refused the object")),
    (0x0000, 0xFFFF, StoreVerdict(StoreOutcome.AMBIGUOUS, "the archive gave an answer the standard does not know")),
)


def judge_store(status: int) -> StoreVerdict:
    """What a C-STORE-RSP status says about the object; the sentence names the status in hexadecimal."""
    verdict = _KNOWN.get(status) or next(found for low, high, found in _RANGES if low <= status <= high)
    sentence = f"{verdict.sentence} (0x{status:04X})" if verdict.sentence else ""
    return StoreVerdict(verdict.outcome, sentence)


def require_delivered(status: int) -> str:
    """The note for the receipt, empty for plain success. Raises Ambiguous, Unreachable, Permanent, with why."""
    verdict = judge_store(status)
    match verdict.outcome:
        case StoreOutcome.AMBIGUOUS:
            raise Ambiguous(verdict.sentence)
        case StoreOutcome.TRANSIENT:
            raise Unreachable(verdict.sentence)
        case StoreOutcome.PERMANENT:
            raise Permanent(verdict.sentence)
        case StoreOutcome.DELIVERED:
            return verdict.sentence
