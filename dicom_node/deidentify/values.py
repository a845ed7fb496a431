"""Reading elements without converting them: representation, character set and text of a value.

pydicom converts lazily and warns as it does so; here raw bytes are read strictly and nothing is written back.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydicom.charset import STAND_ALONE_ENCODINGS, decode_bytes, default_encoding, python_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as ItemSequence
from pydicom.valuerep import TEXT_VR_DELIMS

Element = DataElement | RawDataElement

PARSE_ERRORS: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,  # pydicom on a value representation that it does not know
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
)
"""What pydicom raises on values it cannot read; warnings too, where the caller has made them errors."""

UNKNOWN: Final = "UN"
CHARACTER_SET: Final = 0x00080005
EXTENDED_TEXT_VRS: Final = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
NUMBER_TEXT_VRS: Final = frozenset({"DS", "IS", "DA", "DT", "TM", "AS"})
TEXT_VRS: Final = EXTENDED_TEXT_VRS | NUMBER_TEXT_VRS | {"AE", "CS", "UI", "UR"}
BYTES_VRS: Final = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN", "OB or OW"})


@dataclass(frozen=True)
class CharacterSet:
    """How the text of a data set is encoded: `declared` as pydicom holds it, `codecs` for strict decoding."""

    declared: str | list[str]
    codecs: tuple[str, ...]


DEFAULT_CHARACTER_SET: Final = CharacterSet(default_encoding, ("ascii",))


def character_set_of(dataset: Dataset, parent: CharacterSet) -> CharacterSet | None:
    """The character set of a data set or item (PS3.3 C.12.1.1.2); None when its terms are not DICOM's."""
    element = element_at(dataset, CHARACTER_SET) if CHARACTER_SET in dataset else None
    terms = [term.strip() for term in decoded(element, ("ascii",)).split("\\")] if element is not None else []
    if not any(terms):
        return parent
    if any(term not in python_encoding for term in terms):
        return None
    if len(terms) > 1 and any(term in STAND_ALONE_ENCODINGS for term in terms):
        return None
    encodings = [python_encoding[term] for term in terms]
    codecs = tuple("ascii" if name == default_encoding else name for name in encodings)
    return CharacterSet(encodings, codecs)


@lru_cache(maxsize=4096)
def _dictionary_representation(tag: int) -> str | None:
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return None


def representation(element: Element) -> str:
    """The VR of an element; UN or a missing one is looked up in PS3.6 and stays UN for an unknown attribute."""
    vr = element.VR
    if vr is None or vr == UNKNOWN:
        return _dictionary_representation(int(element.tag)) or UNKNOWN
    return str(vr)


def is_known(tag: int) -> bool:
    """True when PS3.6 as installed lists the attribute."""
    return _dictionary_representation(tag) is not None


def is_empty(element: Element) -> bool:
    """True for a value of no length; text of padding alone and a sequence without items are empty."""
    value = element.value
    if isinstance(value, bytes):
        return not (value.strip(b"\0 ") if representation(element) in TEXT_VRS else value)
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def decoded(element: Element, codecs: Sequence[str]) -> str:
    """The text of an element, values parted by backslashes, padding gone.

    Raises UnicodeError when the bytes are not text in `codecs`, also for a foreign escape sequence.
    """
    value = element.value
    if isinstance(value, bytes):
        return decode_strictly(value, codecs).strip(" \0\r\n")
    if value is None:
        return ""
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(part) for part in value)
    return str(value)


def decode_strictly(value: bytes, codecs: Sequence[str]) -> str:
    """Decode by PS3.5 6.1, with code extensions; raises UnicodeError instead of replacing what does not fit."""
    if b"\x1b" not in value:
        return value.decode(codecs[0])
    try:
        text = str(decode_bytes(value, list(codecs), TEXT_VR_DELIMS))
    except (LookupError, ValueError, Warning) as exc:
        raise UnicodeError("escape sequence outside the declared character set") from exc
    if "\ufffd" in text or "\x1b" in text:
        raise UnicodeError("escape sequence outside the declared character set")
    return text


def element_at(dataset: Dataset, tag: int) -> Element:
    """The element as the data set holds it, unconverted; a value whose reading was deferred is read now."""
    return loaded(dataset, tag, dataset.get_item(tag, keep_deferred=True))


def elements_of(dataset: Dataset) -> Iterator[tuple[int, Element]]:
    """Every public element, unconverted and perhaps not `loaded`. Iterating a Dataset itself would convert them."""
    return ((tag, element) for tag, element in dataset.items() if not tag >> 16 & 1)


def loaded(dataset: Dataset, tag: int, element: Element) -> Element:
    """The element with its value, read now where reading was deferred."""
    if element.value is None and isinstance(element, RawDataElement) and element.length:
        return dataset[tag]
    return element


def text_at(dataset: Dataset, tag: int, codecs: Sequence[str] = ("ascii",)) -> str:
    """The text of one attribute, empty when it is absent or not text in `codecs`."""
    element = element_at(dataset, tag) if tag in dataset else None
    if element is None:
        return ""
    try:
        return decoded(element, codecs)
    except UnicodeError:
        return ""


def items_of(element: Element, character_set: CharacterSet) -> ItemSequence:
    """The items of a sequence, parsed where they still are bytes; the element itself stays as it is.

    A sequence of explicit VR UN is implicit little endian inside (PS3.5 6.2.2). Raises one of PARSE_ERRORS.
    """
    if is_empty(element):
        return ItemSequence()
    if isinstance(element, RawDataElement):
        if element.VR == UNKNOWN:
            element = element._replace(VR="SQ", is_implicit_VR=True, is_little_endian=True)
        element = convert_raw_data_element(element, encoding=character_set.declared)
    if not isinstance(element.value, ItemSequence):
        raise TypeError("not a sequence")
    return element.value


def items_at(dataset: Dataset, tag: int, character_set: CharacterSet) -> ItemSequence:
    """The items of one sequence attribute, none when it is absent."""
    if tag not in dataset:
        return ItemSequence()
    return items_of(element_at(dataset, tag), character_set)


def readings(element: Element, codecs: Sequence[str]) -> Iterable[str]:
    """Every plausible text of a value whose declared character set may be wrong: as declared, UTF-8, Latin-1."""
    value = element.value
    if not isinstance(value, bytes):
        yield decoded(element, codecs)
        return
    for attempt in (codecs, ("utf-8",)):
        try:
            yield decode_strictly(value, attempt).strip(" \0\r\n")
        except UnicodeError:
            continue  # not this reading; Latin-1 below reads any bytes
    yield value.decode("latin-1").strip(" \0\r\n")
