"""The walk through an object: each element is removed, emptied, replaced, mapped or kept, at every depth.

Elements that stay are passed on as the bytes they are, so pixel data is neither decoded nor copied. What identifies is
noted on the way, for the residual check.
"""

import copy
from typing import Final

from pydicom import config
from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicom_node.deidentify import structured
from dicom_node.deidentify.actions import Action, action_for, is_named
from dicom_node.deidentify.dummies import dummy_element, dummy_items, empty_element
from dicom_node.deidentify.identifiers import Identifier, kind_of
from dicom_node.deidentify.outcome import Finding, path_of
from dicom_node.deidentify.pixels import PIXEL_TAGS
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.uids import is_well_known
from dicom_node.deidentify.values import (
    DEFAULT_CHARACTER_SET,
    PARSE_ERRORS,
    CharacterSet,
    Element,
    character_set_of,
    decoded,
    elements_of,
    is_empty,
    is_known,
    items_of,
    loaded,
    readings,
    representation,
)

_PATIENT_TAGS: Final = frozenset({0x00100010, 0x00100020})
_ENCAPSULATED_DOCUMENT: Final = 0x00420011
_DEEPEST: Final = 32


class Treatment:
    """Treats one object. `findings`, `identifiers` and `mapped_uids` are filled while walking."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.findings: list[Finding] = []
        self.identifiers: set[Identifier] = set()
        self.mapped_uids: dict[str, str] = {}
        self._pseudonyms = pseudonyms

    def dataset(self, original: Dataset, path: str, parent: CharacterSet, depth: int) -> Dataset:
        """A new data set, or item, with what remains of `original`; unreadable attributes become findings."""
        character_set = character_set_of(original, parent)
        if character_set is None:
            self.hold("character-set", path_of(path, 0x00080005), "the character set is not one of DICOM's")
            character_set = parent
        is_implicit, is_little = original.original_encoding
        treated = _blank(original, depth, parent)
        treated.set_original_encoding(is_implicit, is_little, _read_charset(character_set))
        for tag, element in elements_of(original):
            try:
                remaining = self._element(loaded(original, tag, element), path, character_set, depth)
            except PARSE_ERRORS:
                self.hold("unreadable", path_of(path, tag), "the attribute cannot be read")
                continue
            if remaining is not None:
                treated[tag] = remaining
        return treated

    def hold(self, kind: str, at: str, message: str) -> None:
        """Note a reason to hold the object."""
        self.findings.append(Finding(kind, at, message))

    def uid(self, original: str) -> str:
        """The UID that replaces `original`, asked for once an object."""
        if original not in self.mapped_uids:
            self.mapped_uids[original] = self._pseudonyms.uid(original)
        return self.mapped_uids[original]

    def _element(self, element: Element, path: str, character_set: CharacterSet, depth: int) -> Element | None:
        tag = int(element.tag)
        vr = representation(element)
        action = action_for(tag, vr)
        self._note(element, tag, vr, character_set)
        if vr == "SQ" and (is_known(tag) or is_named(tag)):
            return self._sequence(element, action, path, character_set, depth)
        if action is Action.REMOVE or self._is_held(element, tag, path, depth):
            return None
        return self._replaced(element, action, tag, vr)

    def _is_held(self, element: Element, tag: int, path: str, depth: int) -> bool:
        if is_empty(element):
            return False
        if not is_known(tag) and not is_named(tag):
            self.hold("unknown-attribute", path_of(path, tag), "PS3.6 does not know this attribute")
        elif tag == _ENCAPSULATED_DOCUMENT:
            self.hold("document", path_of(path, tag), "a document cannot be proven clean")
        elif tag in PIXEL_TAGS and depth > 0:
            self.hold("nested-pixels", path_of(path, tag), "pixel data inside a sequence")
        else:
            return False
        return True

    def _replaced(self, element: Element, action: Action, tag: int, vr: str) -> Element:
        if tag in _PATIENT_TAGS:
            return DataElement(tag, vr, self._pseudonyms.patient)
        if action is Action.EMPTY:
            return empty_element(element)
        if action is Action.DUMMY:
            return dummy_element(element)
        return self._mapped(element, tag) if action is Action.MAP_UID else _shared(element)

    def _sequence(
        self, element: Element, action: Action, path: str, character_set: CharacterSet, depth: int
    ) -> DataElement | None:
        tag = int(element.tag)
        here = path_of(path, tag)
        if depth >= _DEEPEST:
            self.hold("too-deep", here, "sequences are nested deeper than any IOD nests them")
            return None
        items = items_of(element, character_set)
        if action not in (Action.KEEP, Action.MAP_UID):
            self._note_items(items, character_set, depth)
        if action is Action.REMOVE:
            return None
        if action is Action.EMPTY or not items:
            return empty_element(element)
        return DataElement(tag, "SQ", self._items(items, action, tag, here, character_set, depth))

    def _items(
        self, items: Sequence, action: Action, tag: int, here: str, character_set: CharacterSet, depth: int
    ) -> Sequence:
        indexes = {id(item): index for index, item in enumerate(items)}

        def treat(item: Dataset) -> Dataset:
            return self.dataset(item, f"{here}[{indexes.get(id(item), 0)}]", character_set, depth + 1)

        if tag == structured.CONTENT_SEQUENCE:
            return structured.dummy_content(items, treat, character_set)
        if tag == structured.GRAPHIC_ANNOTATION_SEQUENCE:
            return structured.dummy_graphics(items, treat, character_set)
        if action is Action.DUMMY:
            return dummy_items(items, treat)
        return Sequence(treat(item) for item in items)

    def _mapped(self, element: Element, tag: int) -> DataElement:
        originals = [uid.strip() for uid in decoded(element, ("ascii",)).split("\\")]
        uids = [uid if not uid or is_well_known(tag, uid) else self.uid(uid) for uid in originals]
        values = [UID(uid, validation_mode=config.IGNORE) for uid in uids]
        value = values[0] if len(values) == 1 else MultiValue(UID, values)
        return DataElement(tag, "UI", value, already_converted=True)

    def _note(self, element: Element, tag: int, vr: str, character_set: CharacterSet) -> None:
        kind = kind_of(tag, vr)
        if kind is not None and not is_empty(element):
            texts = readings(element, character_set.codecs)
            self.identifiers.update(Identifier(kind, text) for text in texts)

    def _note_items(self, items: Sequence, parent: CharacterSet, depth: int) -> None:
        """Note what identifies in items of which nothing stays."""
        if depth >= _DEEPEST:
            raise RecursionError("sequences nested too deep")
        for item in items:
            character_set = character_set_of(item, parent) or parent
            for tag, element in elements_of(item):
                vr = representation(element)
                self._note(element, tag, vr, character_set)
                if vr == "SQ":
                    self._note_items(items_of(element, character_set), character_set, depth + 1)


def _blank(original: Dataset, depth: int, parent: CharacterSet) -> Dataset:
    if depth > 0:
        return Dataset(parent_encoding=parent.declared)
    is_implicit, is_little = original.original_encoding
    return FileDataset("", {}, is_implicit_VR=bool(is_implicit), is_little_endian=is_little is not False)


def _shared(element: Element) -> Element:
    """The element with the same value: raw as it is, else a new one, so that neither data set can change the other."""
    if isinstance(element, RawDataElement):
        return element
    value = copy.deepcopy(element.value) if isinstance(element.value, MultiValue) else element.value
    is_undefined_length = element.is_undefined_length
    return DataElement(element.tag, element.VR, value, is_undefined_length=is_undefined_length, already_converted=True)


def _read_charset(character_set: CharacterSet) -> str | list[str]:
    # What Dataset._character_set answers for the same data set: pydicom then writes raw elements as they are.
    return default_encoding if character_set is DEFAULT_CHARACTER_SET else character_set.declared
