"""Is the object that came again the same one?"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from dicom_node.equivalence import COMPARABLE_BYTES, KeptObject, Likeness, compare, compare_kept, dataset_sha256
from dicom_node.part10 import build_file_header, split_file
from gateway.domain.errors import Invalid
from tests.peers import generated
from tests.peers.files import local_path


def ct(**changed: Any) -> bytes:
    (image,) = generated.ct_series(slices=1, study_instance_uid="1.2.3.4")
    for keyword, value in changed.items():
        setattr(image, keyword, value)
    return generated.part10(image)


def reencoded(part10: bytes, syntax: str) -> bytes:
    dataset = pydicom.dcmread(BytesIO(part10))
    if syntax == RLELossless:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    output = BytesIO()
    dataset.save_as(output, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian)
    return output.getvalue()


def with_pixels(part10: bytes, change: int) -> bytes:
    dataset = pydicom.dcmread(BytesIO(part10))
    dataset.PixelData = bytes((dataset.PixelData[0] + change) % 256 for _ in range(1)) + dataset.PixelData[1:]
    return generated.part10(dataset)


def test_preamble_and_group_two_do_not_count() -> None:
    first = ct()
    _, offset = split_file(first)
    other = b"II*\0" + bytes(124) + first[128:offset] + first[offset:]
    assert first != other
    assert dataset_sha256(first) == dataset_sha256(other)
    assert compare(first, other) is Likeness.SAME_BYTES


def test_the_digest_is_that_of_the_file_the_node_stores() -> None:
    first = ct()
    dataset = pydicom.dcmread(BytesIO(first))
    syntax, offset = split_file(first)
    stored = build_file_header(dataset.SOPClassUID, dataset.SOPInstanceUID, syntax) + first[offset:]
    assert dataset_sha256(first) == hashlib.sha256(stored).hexdigest() == dataset_sha256(stored)


def test_garbage_has_no_digest() -> None:
    with pytest.raises(Invalid):
        dataset_sha256(generated.jpeg_pretending_to_be_dicom())


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, RLELossless])
def test_another_transfer_syntax_is_the_same_content(syntax: str) -> None:
    first = ct()
    assert dataset_sha256(first) != dataset_sha256(reencoded(first, syntax))
    assert compare(first, reencoded(first, syntax)) is Likeness.SAME_CONTENT


def test_another_character_set_is_the_same_content() -> None:
    (one,) = generated.ct_series(slices=1, study_instance_uid="1.2.3.4", character_set=generated.UTF_8)
    (other,) = generated.ct_series(slices=1, study_instance_uid="1.2.3.4", character_set=generated.LATIN_5)
    assert compare(generated.part10(one), generated.part10(other)) is Likeness.SAME_CONTENT


@pytest.mark.parametrize("changed", [{"PatientName": "Other^Name"}, {"PatientID": "2"}, {"WindowCenter": "50"}])
def test_changed_attributes_over_equal_pixels_are_a_correction(changed: dict[str, Any]) -> None:
    assert compare(ct(), ct(**changed)) is Likeness.SAME_PIXELS


def test_a_correction_is_seen_through_another_transfer_syntax() -> None:
    assert compare(ct(), reencoded(ct(PatientID="2"), RLELossless)) is Likeness.SAME_PIXELS


def test_one_other_pixel_is_another_object() -> None:
    assert compare(ct(), with_pixels(ct(), 1)) is Likeness.DIFFERENT
    assert compare(reencoded(ct(), RLELossless), with_pixels(ct(), 1)) is Likeness.DIFFERENT


def test_inverted_grey_is_another_object() -> None:
    assert compare(ct(), ct(PhotometricInterpretation="MONOCHROME1")) is Likeness.DIFFERENT


@pytest.mark.parametrize(
    ("first", "second", "likeness"),
    [
        ("MR_small.dcm", "MR_small_implicit.dcm", Likeness.SAME_CONTENT),
        ("MR_small.dcm", "MR_small_RLE.dcm", Likeness.SAME_CONTENT),
        ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm", Likeness.SAME_CONTENT),
        ("MR_small.dcm", "MR_small_expb.dcm", Likeness.SAME_CONTENT),
        ("emri_small.dcm", "emri_small_jpeg_2k_lossless.dcm", Likeness.SAME_CONTENT),
        ("emri_small.dcm", "emri_small_RLE.dcm", Likeness.SAME_CONTENT),
        ("emri_small.dcm", "MR_small.dcm", Likeness.DIFFERENT),
        ("SC_rgb.dcm", "SC_rgb_jpeg_dcmtk.dcm", Likeness.DIFFERENT),
    ],
)
def test_real_families(first: str, second: str, likeness: Likeness) -> None:
    assert compare(local_path(first).read_bytes(), local_path(second).read_bytes()) is likeness


def report(**changed: str) -> bytes:
    dataset = pydicom.dcmread(local_path("reportsi.dcm"))
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return generated.part10(dataset)


def test_an_object_without_pixels_is_compared_by_its_content() -> None:
    assert compare(report(), report()) is Likeness.SAME_BYTES
    assert compare(report(), report(PatientName="Other^Name")) is Likeness.SAME_PIXELS
    assert compare(report(), report(CompletionFlag="COMPLETE")) is Likeness.DIFFERENT


def test_undecodable_pixels_are_different_unless_their_bytes_are_equal() -> None:
    first = reencoded(ct(), RLELossless)
    dataset = pydicom.dcmread(BytesIO(first))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless  # which it is not
    undecodable = generated.part10(dataset)
    dataset.PatientID = "2"
    assert compare(first, undecodable) is Likeness.DIFFERENT
    assert compare(undecodable, generated.part10(dataset)) is Likeness.SAME_PIXELS


def test_kept_objects_are_compared_one_pair_at_a_time() -> None:
    content, entered, release, second_read = ct(), Event(), Event(), Event()

    def slow() -> bytes:
        entered.set()
        assert release.wait(timeout=10)
        return content

    def quick() -> bytes:
        second_read.set()
        return content

    kept = KeptObject(len(content), lambda: content)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(compare_kept, kept, KeptObject(len(content), slow))
        assert entered.wait(timeout=10)
        second = pool.submit(compare_kept, KeptObject(len(content), quick), kept)
        assert not second_read.wait(timeout=0.3)
        release.set()
        assert first.result(timeout=10) is second.result(timeout=10) is Likeness.SAME_BYTES


def test_what_is_too_large_is_not_read() -> None:
    def never() -> bytes:
        raise AssertionError("read")

    small, large = KeptObject(1, never), KeptObject(COMPARABLE_BYTES + 1, never)
    assert compare_kept(small, large) is compare_kept(large, small) is Likeness.UNCOMPARED


def test_what_would_decode_to_too_much_is_not_decoded() -> None:
    claimed = {"Rows": 65535, "Columns": 65535, "NumberOfFrames": 100}
    assert compare(ct(**claimed), with_pixels(ct(**claimed), 1)) is Likeness.UNCOMPARED
    assert compare(ct(**claimed), ct(**claimed, PatientName="Other")) is Likeness.SAME_PIXELS
