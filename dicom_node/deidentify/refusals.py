"""Objects that are held whole, before any attribute is looked at."""

from typing import Final

from pydicom.dataset import Dataset

from dicom_node.deidentify.outcome import Finding, path_of
from dicom_node.deidentify.pixels import pixel_findings
from dicom_node.deidentify.values import element_at, is_empty, text_at

SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
_TRANSFER_SYNTAX: Final = 0x00020010
_REQUIRED: Final = (SOP_CLASS, SOP_INSTANCE, 0x0020000D, 0x0020000E)  # class, instance, study, series

_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_ENCAPSULATED: Final = "1.2.840.10008.5.1.4.1.1.104."  # PDF, CDA, STL, OBJ, MTL
_AUDIO: Final = "1.2.840.10008.5.1.4.1.1.9.4."  # basic voice, general audio
_VIDEO_SYNTAXES: Final = "1.2.840.10008.1.2.4.10"  # MPEG-2, H.264 and HEVC: 100 to 108, fragmentable ones below them
_DOCUMENT_TAGS: Final = (0x00420011, 0x00420012)  # Encapsulated Document, its MIME type
_PIXEL_PROVIDER_URL: Final = 0x00287FE0
_OVERLAY_ROWS: Final = 0x0010
_OVERLAY_DATA: Final = 0x3000


def refusals(dataset: Dataset) -> tuple[Finding, ...]:
    """Every reason why the object as a whole cannot be proven clean."""
    return (*_identity(dataset), *_content(dataset), *_overlays(dataset), *pixel_findings(dataset))


def transfer_syntax_of(dataset: Dataset) -> str:
    """The transfer syntax of the file meta information; empty when there is none."""
    meta = getattr(dataset, "file_meta", None)
    return "" if meta is None else text_at(meta, _TRANSFER_SYNTAX)


def _identity(dataset: Dataset) -> list[Finding]:
    missing = [tag for tag in _REQUIRED if not text_at(dataset, tag)]
    found = [Finding("incomplete", path_of("", tag), "a UID that every object has is missing") for tag in missing]
    if not transfer_syntax_of(dataset):
        found.append(Finding("incomplete", path_of("", _TRANSFER_SYNTAX), "the transfer syntax is not stated"))
    return found


def _content(dataset: Dataset) -> list[Finding]:
    sop_class = text_at(dataset, SOP_CLASS)
    found = []
    if sop_class.startswith(_ENCAPSULATED) or any(_is_filled(dataset, tag) for tag in _DOCUMENT_TAGS):
        found.append(Finding("document", path_of("", _DOCUMENT_TAGS[0]), "a document cannot be proven clean"))
    if sop_class.startswith(_AUDIO):
        found.append(Finding("audio", path_of("", SOP_CLASS), "a recorded voice cannot be proven clean"))
    if transfer_syntax_of(dataset).startswith(_VIDEO_SYNTAXES):
        found.append(Finding("video", path_of("", _TRANSFER_SYNTAX), "a video stream may carry sound and text"))
    if sop_class == _DIRECTORY:
        found.append(Finding("directory", path_of("", SOP_CLASS), "a directory of a medium is no object of a study"))
    if _is_filled(dataset, _PIXEL_PROVIDER_URL):
        found.append(Finding("referenced-pixels", path_of("", _PIXEL_PROVIDER_URL), "the pixels are somewhere else"))
    return found


def _overlays(dataset: Dataset) -> list[Finding]:
    # PS3.5 8.1.2 (retired): without Overlay Data the plane is in unused bits of the pixel data.
    rows = [tag for tag in list(dataset.keys()) if 0x6000 <= tag >> 16 <= 0x60FF and tag & 0xFFFF == _OVERLAY_ROWS]
    embedded = [tag for tag in rows if (tag & 0xFFFF0000) | _OVERLAY_DATA not in dataset]
    return [Finding("embedded-overlay", path_of("", tag), "an overlay is in the pixel data") for tag in embedded]


def _is_filled(dataset: Dataset, tag: int) -> bool:
    return tag in dataset and not is_empty(element_at(dataset, tag))
