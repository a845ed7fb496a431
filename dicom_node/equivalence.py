"""Is the object that came again the same one? (design: nothing received is overwritten or dropped)"""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from threading import Lock

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.tag import BaseTag

from dicom_node.header import read_file_header
from dicom_node.part10 import build_file_header, split_file


class Likeness(StrEnum):
    """From the same bytes down to another object under the same UID."""

    SAME_BYTES = "same-bytes"
    SAME_CONTENT = "same-content"
    SAME_PIXELS = "same-pixels"
    DIFFERENT = "different"
    UNCOMPARED = "uncompared"
    """Too large to be compared."""


COMPARABLE_BYTES = 1 << 28
"""Size of the largest object that is read to be compared."""
_MOST_DECODED_BYTES = 1 << 30
_one_at_a_time = Lock()

_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
_PIXEL_ENCODING = {  # change with the transfer syntax while the pixels stay
    0x00082111,  # DerivationDescription, where lossless compressors say what they did
    0x00280004,  # PhotometricInterpretation, compared apart
    0x00280006,  # PlanarConfiguration
    0x7FE00001,  # ExtendedOffsetTable
    0x7FE00002,  # ExtendedOffsetTableLengths
    0x7FE00003,  # EncapsulatedPixelDataValueTotalLength
}
_ENCODING = {0x00080005, 0xFFFCFFFC}  # SpecificCharacterSet, DataSetTrailingPadding
_IDENTITY = {  # Patient and study identification outside group 0010: what a correction in an archive changes
    0x00080020,  # StudyDate
    0x00080030,  # StudyTime
    0x00080050,  # AccessionNumber
    0x00080051,  # IssuerOfAccessionNumberSequence
    0x00080090,  # ReferringPhysicianName
    0x00081030,  # StudyDescription
    0x00200010,  # StudyID
    0x0020000D,  # StudyInstanceUID
    0x0020000E,  # SeriesInstanceUID
    0x04000561,  # OriginalAttributesSequence, in which the archive notes the correction
}
_WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


def dataset_sha256(part10: bytes) -> str:
    """SHA-256 of the data set under the header of `part10.build_file_header`, not under the one it came with.

    Equal for equal data set bytes in equal transfer syntaxes. For an object received by the node it is the SHA-256 of
    the stored file, so hashing once is enough. Raises Invalid for what is not a whole object.
    """
    header = read_file_header(part10)
    _, offset = split_file(part10)
    digest = hashlib.sha256(
        build_file_header(header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)
    )
    digest.update(memoryview(part10)[offset:])
    return digest.hexdigest()


@dataclass(frozen=True)
class KeptObject:
    """A Part 10 object in a store: its size, and how it is read."""

    size_bytes: int
    read: Callable[[], bytes]


def compare_kept(first: KeptObject, second: KeptObject) -> Likeness:
    """As `compare`, and bounded in memory however many peers repeat objects: one comparison at a time in a process.

    An object beyond COMPARABLE_BYTES is not read; the answer is UNCOMPARED.
    """
    if max(first.size_bytes, second.size_bytes) > COMPARABLE_BYTES:
        return Likeness.UNCOMPARED
    with _one_at_a_time:
        return compare(first.read(), second.read())


class _TooLargeError(Exception):
    """Its pixels would take too much memory or time to decode."""


def compare(first: bytes, second: bytes) -> Likeness:
    """How alike two Part 10 objects of one SOP Instance UID are. Raises Invalid for what is not a whole object.

    Pixels are compared decoded, frame by frame; what cannot be decoded is equal only when its bytes are, and what would
    decode to more than a gibibyte is UNCOMPARED unless they are.
    """
    if dataset_sha256(first) == dataset_sha256(second):
        return Likeness.SAME_BYTES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _compare_decoded(_read(first), _read(second))
    except _TooLargeError:
        return Likeness.UNCOMPARED
    except Exception:  # noqa: BLE001 - decoders raise anything; unproven sameness is difference
        return Likeness.DIFFERENT


def _compare_decoded(first: FileDataset, second: FileDataset) -> Likeness:
    has_pixels = any(tag in first for tag in _PIXELS)
    if has_pixels != any(tag in second for tag in _PIXELS) or first.SOPClassUID != second.SOPClassUID:
        return Likeness.DIFFERENT
    if has_pixels and not _are_pixels_equal(first, second):
        return Likeness.DIFFERENT
    left, right = _normalised(first, has_pixels=has_pixels), _normalised(second, has_pixels=has_pixels)
    if left == right:
        return Likeness.SAME_CONTENT
    if has_pixels or _without_identity(left) == _without_identity(right):
        return Likeness.SAME_PIXELS
    return Likeness.DIFFERENT


def _read(part10: bytes) -> FileDataset:
    dataset = pydicom.dcmread(BytesIO(part10))
    dataset.decode()
    return dataset


def _are_pixels_equal(first: FileDataset, second: FileDataset) -> bool:
    if _photometric(first) != _photometric(second):
        return False
    is_same_syntax = first.file_meta.TransferSyntaxUID == second.file_meta.TransferSyntaxUID
    if is_same_syntax and all(first.get(tag) == second.get(tag) for tag in _PIXELS | _PIXEL_ENCODING):
        return True
    if max(_decoded_bytes(first), _decoded_bytes(second)) > _MOST_DECODED_BYTES:
        raise _TooLargeError
    left, right = _frames(first), _frames(second)
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def _decoded_bytes(dataset: FileDataset) -> int:
    """What all frames together become (PS3.3 C.7.6.3)."""
    frame = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) // 8
    return frame * int(dataset.get("NumberOfFrames") or 1)


def _frames(dataset: FileDataset) -> Iterator["np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]:
    return iter_pixels(dataset)


def _photometric(dataset: Dataset) -> str:
    """YBR and RGB are encodings of one colour image; the decoder gives RGB for both."""
    value = str(dataset.get("PhotometricInterpretation", ""))
    return "colour" if value == "RGB" or value.startswith("YBR") else value


def _normalised(dataset: FileDataset, *, has_pixels: bool) -> dict[BaseTag, bytes]:
    """Each top-level element as implicit VR little endian UTF-8, so that no encoding of the data set shows."""
    left_out = _ENCODING | (_PIXELS | _PIXEL_ENCODING if has_pixels else set())
    is_big_endian = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    _unify(dataset, is_big_endian=is_big_endian)
    elements = {}
    for element in dataset:
        if element.tag in left_out or element.tag.element == 0:
            continue
        single = Dataset()
        single.add(element)
        elements[element.tag] = _encoded(single)
    return elements


def _unify(dataset: Dataset, *, is_big_endian: bool) -> None:
    """Recursively: no character set, no undefined length, no trailing blanks, words in little endian order."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = False
            for item in element.value:
                item.is_undefined_length_sequence_item = False
                item.pop(0x00080005, None)
                _unify(item, is_big_endian=is_big_endian)
        elif is_big_endian and element.VR in _WORDS and element.tag not in _PIXELS and element.value:
            element.value = np.frombuffer(element.value, f">u{_WORDS[element.VR]}").byteswap().tobytes()


def _encoded(dataset: Dataset) -> bytes:
    output = DicomBytesIO()
    output.is_little_endian, output.is_implicit_VR = True, True
    write_dataset(output, dataset, parent_encoding=["utf8"])
    return output.getvalue()


def _without_identity(elements: dict[BaseTag, bytes]) -> dict[BaseTag, bytes]:
    return {tag: value for tag, value in elements.items() if tag.group != 0x0010 and tag not in _IDENTITY}
