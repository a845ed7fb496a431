"""Structured content under the Basic Profile: the tree of a report and the graphics of a presentation state.

Table E.1-1 gives Content Sequence (0040,A730) and Graphic Annotation Sequence (0070,0001) the action D: they need a
dummy that says nothing and still conforms. References to instances say nothing once their UIDs are mapped, so they
stay - a key object selection without them would select nothing.
"""

from collections.abc import Callable, Iterator
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_node.deidentify.dummies import DUMMY_TEXT
from dicom_node.deidentify.values import CharacterSet, element_at, items_at, text_at

CONTENT_SEQUENCE: Final = 0x0040A730
GRAPHIC_ANNOTATION_SEQUENCE: Final = 0x00700001

_REFERENCED_SOP_SEQUENCE: Final = 0x00081199
_REFERENCED_IMAGE_SEQUENCE: Final = 0x00081140
_GRAPHIC_LAYER: Final = 0x00700002
_VALUE_TYPE: Final = 0x0040A040
_REFERENCE_TYPES: Final = frozenset({"COMPOSITE", "IMAGE", "WAVEFORM"})  # PS3.3 C.17.3.2.1
_MAXIMUM_DEPTH: Final = 64

Treatment = Callable[[Dataset], Dataset]


def dummy_content(items: Sequence, treat: Treatment, character_set: CharacterSet) -> Sequence:
    """The references found anywhere in a content tree as a flat list; without any, one text item that says nothing."""
    references = [
        _reference_item(item, treat, character_set) for item in _reference_items(items, character_set, depth=0)
    ]
    return Sequence(references or [_text_item()])


def dummy_graphics(items: Sequence, treat: Treatment, character_set: CharacterSet) -> Sequence:
    """For each annotation: its layer and its (mapped) images, and one text in place of what was drawn or typed."""
    return Sequence(_annotation_item(item, treat, character_set) for item in items)


def _reference_items(items: Sequence, character_set: CharacterSet, depth: int) -> Iterator[Dataset]:
    if depth > _MAXIMUM_DEPTH:
        raise RecursionError("content tree deeper than any template")
    for item in items:
        if text_at(item, _VALUE_TYPE) in _REFERENCE_TYPES and _REFERENCED_SOP_SEQUENCE in item:
            yield item
        yield from _reference_items(items_at(item, CONTENT_SEQUENCE, character_set), character_set, depth + 1)


def _reference_item(item: Dataset, treat: Treatment, character_set: CharacterSet) -> Dataset:
    reference = Dataset()
    reference.RelationshipType = "CONTAINS"
    reference.ValueType = text_at(item, _VALUE_TYPE)
    targets = items_at(item, _REFERENCED_SOP_SEQUENCE, character_set)
    reference.ReferencedSOPSequence = Sequence(treat(target) for target in targets)
    return reference


def _text_item() -> Dataset:
    name = Dataset()
    name.CodeValue = "121106"
    name.CodingSchemeDesignator = "DCM"
    name.CodeMeaning = "Comment"  # PS3.16 Annex D
    item = Dataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "TEXT"
    item.ConceptNameCodeSequence = Sequence([name])
    item.TextValue = DUMMY_TEXT
    return item


def _annotation_item(item: Dataset, treat: Treatment, character_set: CharacterSet) -> Dataset:
    annotation = Dataset()
    images = items_at(item, _REFERENCED_IMAGE_SEQUENCE, character_set)
    if images:
        annotation.ReferencedImageSequence = Sequence(treat(image) for image in images)
    if _GRAPHIC_LAYER in item:
        annotation[_GRAPHIC_LAYER] = element_at(item, _GRAPHIC_LAYER)
    text = Dataset()
    text.BoundingBoxAnnotationUnits = "DISPLAY"
    text.UnformattedTextValue = DUMMY_TEXT
    text.BoundingBoxTopLeftHandCorner = [0.0, 0.0]
    text.BoundingBoxBottomRightHandCorner = [1.0, 1.0]
    text.BoundingBoxTextHorizontalJustification = "LEFT"
    annotation.TextObjectSequence = Sequence([text])
    return annotation
