"""C-FIND of the strict PACS: the Study Root model, hierarchical, without relational queries (PS3.4 C.4.1, C.6.2)."""

import fnmatch
from collections.abc import Iterable, Iterator

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.multival import MultiValue

from tests.peers.processes import PeerFailure
from tests.peers.registered_study import RegisteredStudy, text_of

_LEVEL_KEYS = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
_LEVEL_ATTRIBUTES = {
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber"),
}
_NOT_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"})
_RANGE_VRS = frozenset({"DA", "TM", "DT"})


class IdentifierRefused(PeerFailure):
    """The query breaks a rule of the model: status 0xA900 (PS3.4 C.4.1.1.4)."""


def answer(identifier: Dataset, studies: Iterable[RegisteredStudy], stored: Iterable[Dataset]) -> Iterator[Dataset]:
    """The matches of a query, each with exactly the attributes it asked for that are known here.

    Raises:
        IdentifierRefused: no level, an unknown one, or a level above without its unique key.
    """
    level = text_of(identifier, "QueryRetrieveLevel")
    if level not in _LEVEL_KEYS:
        raise IdentifierRefused("the query names no level of the Study Root model")
    for keyword in _LEVEL_KEYS[level][:-1]:
        if not text_of(identifier, keyword) or isinstance(identifier[keyword].value, MultiValue):
            raise IdentifierRefused(f"a query at {level} level needs a single {keyword}")
    wanted = [each.keyword for each in identifier if each.keyword and each.keyword not in _NOT_KEYS]
    for values in _entities(level, studies, stored):
        if all(_is_match(identifier, keyword, values[keyword]) for keyword in wanted if keyword in values):
            yield _response(level, {keyword: values[keyword] for keyword in wanted if keyword in values})


def has_unsupported_key(identifier: Dataset) -> bool:
    """Whether a key is asked for that is not kept here: the pending status is 0xFF01 then."""
    level = text_of(identifier, "QueryRetrieveLevel")
    known = set(_LEVEL_ATTRIBUTES.get(level, ())) or set(RegisteredStudy("", "").values())
    return any(each.keyword not in known | _NOT_KEYS for each in identifier)


def _entities(level: str, studies: Iterable[RegisteredStudy], stored: Iterable[Dataset]) -> list[dict[str, str]]:
    if level == "STUDY":
        return [study.values() for study in studies]
    found: dict[str, dict[str, str]] = {}
    for ds in stored:
        values = {keyword: text_of(ds, keyword) for keyword in _LEVEL_ATTRIBUTES[level]}
        found.setdefault(values[_LEVEL_KEYS[level][-1]], values)
    return list(found.values())


def _is_match(identifier: Dataset, keyword: str, value: str) -> bool:
    """Single value, list of UID, wildcard, range and universal matching (PS3.4 C.2.2.2)."""
    asked = identifier[keyword].value
    if isinstance(asked, MultiValue):
        return value in [str(each) for each in asked]
    text = "" if asked is None else str(asked)
    if not text:
        return True
    representation = dictionary_VR(identifier[keyword].tag)
    if representation in _RANGE_VRS and "-" in text:
        first, last = text.split("-", 1)
        return bool(value) and first <= value <= (last or "9")
    if representation == "PN":
        return fnmatch.fnmatchcase(value.casefold(), _literal_brackets(text.casefold()))
    if representation in _RANGE_VRS | {"UI"}:
        return value == text
    return fnmatch.fnmatchcase(value, _literal_brackets(text))


def _literal_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]")  # only * and ? are wildcards in DICOM


def _response(level: str, values: dict[str, str]) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds
