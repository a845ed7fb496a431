"""The last look: does anything of the identifiers remain in the object that is about to leave?

Walks every element of the output by itself, trusting nothing the engine remembers except what it wrote on purpose.
Text is folded once for the whole object; only when something is found is the place looked for. Native pixel data is
not searched; encapsulated streams and other long bytes are searched for exact spellings of at least six bytes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydicom.dataset import Dataset

from dicom_node.deidentify.identifiers import SEPARATOR, Identifier, Kind, fold_text, forms_of, is_long
from dicom_node.deidentify.outcome import Finding, path_of
from dicom_node.deidentify.values import (
    BYTES_VRS,
    DEFAULT_CHARACTER_SET,
    EXTENDED_TEXT_VRS,
    NUMBER_TEXT_VRS,
    TEXT_VRS,
    CharacterSet,
    Element,
    character_set_of,
    decoded,
    elements_of,
    items_of,
    representation,
)

_SMALL_BYTES: Final = 64 * 1024
_PIXEL_DATA: Final = 0x7FE00010
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{6,}")
_PRINTABLE_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\x00){6,}")
_DIGITS: Final = re.compile(r"\d+")
_UID: Final = re.compile(r"\d+(?:\.\d+){3,}")


class Probes:
    """Everything to search for: forms of identifiers, original UIDs, and the values we set ourselves."""

    def __init__(self, identifiers: Iterable[Identifier], uids: Iterable[str], own: Iterable[str]) -> None:
        self.uids = frozenset(uids)
        self.own = frozenset(own)
        self._words: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        self._phrases: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._digits: dict[str, str] = {}
        self._texts: list[str] = []
        own_forms = {fold_text(text).strip() for text in self.own}
        # What the object says of itself has the more telling kind: it comes last and wins.
        for identifier in sorted(identifiers, key=lambda one: (one.kind is not Kind.KNOWN, one.kind, one.text)):
            for form in forms_of(identifier):
                if form not in own_forms:
                    self._add(form, identifier.kind.value)
                    if is_long(form):
                        self._texts.append(identifier.text)

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """Exact bytes of the identifiers, for values too long or too random to take apart."""
        return tuple(sorted({needle for text in self._texts for needle in _spellings(text)}))

    def _add(self, form: str, kind: str) -> None:
        if form.isdigit():
            (self._digits if is_long(form) else self._values)[form] = kind
        elif " " in form:
            self._phrases[f" {form} "] = kind
        elif is_long(form):
            self._inside[form] = kind
        else:
            self._words[form] = kind

    def match(self, folded: str) -> str | None:
        """The kind of an identifier in folded text, if there is one; several values are parted by SEPARATOR."""
        if hits := self._words.keys() & folded.split():
            return self._words[min(hits)]
        if hits := self._values.keys() & {value.strip() for value in folded.split(SEPARATOR)}:
            return self._values[min(hits)]
        return self.match_inside(folded)

    def match_inside(self, folded: str) -> str | None:
        """As `match`, for text cut out of bytes: only forms long enough not to appear there by chance."""
        if self._digits and (hits := self._digits.keys() & _DIGITS.findall(folded)):
            return self._digits[min(hits)]
        for forms in (self._inside, self._phrases):
            for form, kind in forms.items():
                if form in folded:
                    return kind
        return None

    def match_number(self, text: str) -> str | None:
        """The kind of a long number that is one of the values of a DS, IS, DA, DT or TM."""
        for value in text.split("\\"):
            kind = self._digits.get(value.strip()) or self._digits.get(value.strip()[:8])
            if kind is not None:
                return kind
        return None


@dataclass(frozen=True)
class _Text:
    path: str
    tag: int
    vr: str
    text: str


def residual_findings(dataset: Dataset, probes: Probes) -> tuple[Finding, ...]:
    """One finding for each attribute of the output (preamble and file meta too) that still holds an identifier."""
    walk = _Walk(probes)
    preamble = getattr(dataset, "preamble", None)
    if preamble and any(preamble):
        walk.findings.append(Finding("residual-bytes", "", "the preamble is not empty"))
    meta = getattr(dataset, "file_meta", None)
    if meta is not None:
        walk.dataset(meta, "", DEFAULT_CHARACTER_SET)
    walk.dataset(dataset, "", DEFAULT_CHARACTER_SET)
    return (*walk.findings, *_in_texts(walk.texts, probes))


class _Walk:
    """Collects the text of a data set and checks bytes on the way."""

    def __init__(self, probes: Probes) -> None:
        self.findings: list[Finding] = []
        self.texts: list[_Text] = []
        self._probes = probes

    def dataset(self, dataset: Dataset, path: str, parent: CharacterSet) -> None:
        character_set = character_set_of(dataset, parent) or parent
        for tag, element in elements_of(dataset):
            vr = representation(element)
            if vr == "SQ":
                here = path_of(path, tag)
                for index, item in enumerate(items_of(element, character_set)):
                    self.dataset(item, f"{here}[{index}]", character_set)
            elif vr in TEXT_VRS:
                self._text(element, vr, path, character_set)
            elif vr in BYTES_VRS and _has_identifier(element, self._probes):
                message = "bytes that spell an identifier remain"
                self.findings.append(Finding("residual-bytes", path_of(path, tag), message))

    def _text(self, element: Element, vr: str, path: str, character_set: CharacterSet) -> None:
        try:
            text = decoded(element, character_set.codecs if vr in EXTENDED_TEXT_VRS else ("ascii",))
        except UnicodeError:
            message = "the text does not fit its character set"
            self.findings.append(Finding("undecodable", path_of(path, element.tag), message))
            return
        if text and text not in self._probes.own:
            self.texts.append(_Text(path, int(element.tag), vr, text))


def _in_texts(texts: list[_Text], probes: Probes) -> Iterator[Finding]:
    words = [one for one in texts if one.vr not in NUMBER_TEXT_VRS]
    numbers = [one for one in texts if one.vr in NUMBER_TEXT_VRS]
    joined = SEPARATOR.join(one.text for one in words)
    if probes.match(fold_text(joined)) or not probes.uids.isdisjoint(_UID.findall(joined)):
        yield from (finding for one in words for finding in _in_text(one, probes))
    for one in numbers:
        kind = probes.match_number(one.text)
        if kind is not None:
            yield _finding(one, kind)


def _in_text(one: _Text, probes: Probes) -> Iterator[Finding]:
    if not probes.uids.isdisjoint(_UID.findall(one.text)):
        yield _finding(one, "original-uid")
    kind = probes.match(fold_text(one.text))
    if kind is not None:
        yield _finding(one, kind)


def _finding(one: _Text, kind: str) -> Finding:
    return Finding(f"residual-{kind}", path_of(one.path, one.tag), f"{kind.replace('-', ' ')} still readable here")


def _has_identifier(element: Element, probes: Probes) -> bool:
    data = element.value
    if not isinstance(data, bytes):
        return False
    if int(element.tag) == _PIXEL_DATA:
        is_encapsulated = data[:4] == b"\xfe\xff\x00\xe0"
        return is_encapsulated and any(needle in data for needle in probes.needles)
    if len(data) > _SMALL_BYTES:
        return any(needle in data for needle in probes.needles)
    runs = [run.decode("latin-1") for run in _PRINTABLE.findall(data)]
    runs += [run.decode("utf-8", "ignore") for run in _PRINTABLE.findall(data)]
    runs += [run.decode("utf-16-le") for run in _PRINTABLE_WIDE.findall(data)]
    return probes.match_inside(fold_text(SEPARATOR.join(runs))) is not None


def _spellings(text: str) -> Iterator[bytes]:
    """Exact bytes of the parts of an identifier, as written and in upper case, in the usual encodings."""
    for part in re.split(r"[\\^=]", text):
        for spelling in {part.strip(), part.strip().upper()}:
            for codec in ("utf-8", "latin-1", "iso8859-9"):
                needle = spelling.encode(codec, "ignore")
                if len(needle) >= 6 and len(needle) >= len(spelling):
                    yield needle
