"""C-FIND of the demo's PACS: Study Root, hierarchical, single value, list of UID and wildcard matching.

PS3.4 C.2.2.2, C.4.1, C.6.2. Ranges and relational queries are not offered.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from pydicom import Dataset
from pydicom.multival import MultiValue

_UNIQUE_KEYS = {
    "STUDY": ("StudyInstanceUID",),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"),
}
_NO_KEYS = frozenset({"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC"})


class Unanswerable(Exception):
    """The query breaks a rule of the model."""


def matches(query: Dataset, held: Iterable[Dataset]) -> Iterator[Dataset]:
    """One answer an entity of the asked level, with the attributes asked for.

    Raises:
        Unanswerable: an unknown level, or a level above without its single unique key.
    """
    level = str(query.get("QueryRetrieveLevel", ""))
    if level not in _UNIQUE_KEYS:
        raise Unanswerable("no such level in the Study Root model")
    for keyword in _UNIQUE_KEYS[level][:-1]:
        if not query.get(keyword) or isinstance(query[keyword].value, MultiValue):
            raise Unanswerable(f"the {level} level needs one {keyword}")
    keywords = [element.keyword for element in query if element.keyword and element.keyword not in _NO_KEYS]
    entities = {str(ds[_UNIQUE_KEYS[level][-1]].value): ds for ds in held}
    for ds in entities.values():
        if all(_is_match(query[keyword].value, _text(ds, keyword)) for keyword in keywords):
            yield _answer(level, ds, keywords)


def _is_match(asked: object, value: str) -> bool:
    if isinstance(asked, MultiValue):
        return value in [str(one) for one in asked]
    text = "" if asked is None else str(asked)
    return not text or fnmatchcase(value, text.replace("[", "[[]"))


def _answer(level: str, ds: Dataset, keywords: Iterable[str]) -> Dataset:
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level
    for keyword in keywords:
        setattr(answer, keyword, _text(ds, keyword))
    return answer


def _text(ds: Dataset, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value)
