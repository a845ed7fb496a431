"""What cannot be proven clean is held, with a reason that names no value."""

from collections.abc import Callable

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID

from dicom_node.deidentify import Finding, deidentify
from tests.unit.dicom_node.deidentify import objects


def _findings(original: Dataset) -> tuple[Finding, ...]:
    outcome = deidentify(original, objects.pseudonyms())
    assert outcome.dataset is None
    for finding in outcome.findings:
        assert objects.survivors(f"{finding.kind} {finding.at} {finding.message}".encode()) == set()
    return outcome.findings


def _kinds(original: Dataset) -> set[str]:
    return {finding.kind for finding in _findings(original)}


def _with(build: Callable[[], Dataset], **values: object) -> Dataset:
    ds = build()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def _secondary_capture() -> Dataset:
    return objects.add_pixels(objects.instance(objects.SECONDARY_CAPTURE, 9, "OT"))


@pytest.mark.parametrize(
    ("original", "at"),
    [
        (_with(objects.ct, BurnedInAnnotation="YES"), "(0028,0301)"),
        (_with(objects.ultrasound, BurnedInAnnotation="YES"), "(0028,0301)"),
        (_with(objects.ultrasound, BurnedInAnnotation=""), "(0008,0016)"),
        (_secondary_capture(), "(0008,0016)"),
        (_with(objects.ct, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "(0008,0008)"),
        (_with(objects.ct, ImageType=["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]), "(0008,0008)"),
        (_with(objects.ct, ConversionType="WSD"), "(0008,0064)"),
        (_with(objects.ct, PhotometricInterpretation="RGB"), "(0028,0004)"),
        (_with(objects.ct, SOPClassUID=UID("1.2.840.10008.5.1.4.1.1.12.1"), ImageType=["DERIVED", "X"]), "(0008,0008)"),
        (_with(objects.ct, SOPClassUID=UID(objects.ROOT + "5")), "(0008,0016)"),
    ],
)
def test_pixels_that_may_show_text(original: Dataset, at: str) -> None:
    assert [(finding.kind, finding.at) for finding in _findings(original)] == [("burned-in-text", at)]


def test_declared_clean_pixels_pass() -> None:
    original = _with(_secondary_capture, BurnedInAnnotation="NO")
    assert deidentify(original, objects.pseudonyms()).findings == ()


@pytest.mark.parametrize(
    ("original", "kind"),
    [
        (objects.pdf(), "document"),
        (_with(objects.ct, MIMETypeOfEncapsulatedDocument="model/stl"), "document"),
        (_with(objects.report, SOPClassUID=UID("1.2.840.10008.5.1.4.1.1.9.4.2")), "audio"),
        (_with(objects.ct, SOPClassUID=""), "incomplete"),
        (_with(objects.ct, StudyInstanceUID=""), "incomplete"),
        (_with(objects.ct, SpecificCharacterSet="ISO_IR 999"), "character-set"),
        (_with(objects.ct, SpecificCharacterSet=["ISO_IR 192", "ISO 2022 IR 148"]), "character-set"),
        (_with(objects.report, PixelDataProviderURL="http://pacs/1"), "referenced-pixels"),
    ],
)
def test_objects_held_whole(original: Dataset, kind: str) -> None:
    assert kind in _kinds(original)


def test_video_and_missing_transfer_syntax() -> None:
    video, bare = objects.ct(), objects.ct()
    video.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    del bare.file_meta
    assert _kinds(video) == {"video"}
    assert _kinds(bare) == {"incomplete"}


def test_overlay_in_unused_pixel_bits() -> None:
    original = objects.ct()
    del original[0x60003000]
    assert _kinds(original) == {"embedded-overlay"}


def test_nested_document_and_nested_pixels() -> None:
    original = objects.ct()
    inner = Dataset()
    inner.EncapsulatedDocument = b"%PDF-1.4"
    inner.PixelData = b"\0\0"
    inner["PixelData"].VR = "OW"
    original.SharedFunctionalGroupsSequence = [inner]
    assert [(finding.kind, finding.at) for finding in _findings(original)] == [
        ("document", "(5200,9229)[0]/(0042,0011)"),
        ("nested-pixels", "(5200,9229)[0]/(7FE0,0010)"),
    ]


@pytest.mark.parametrize("vr", ["UN", "LO"])
def test_an_attribute_nobody_knows(vr: str) -> None:
    original = objects.ct()
    original.add_new(0x00180002, vr, objects.NAME.encode() if vr == "UN" else objects.SHORT_TEXT)
    assert ("unknown-attribute", "(0018,0002)") in {(finding.kind, finding.at) for finding in _findings(original)}


def _raw(tag: int, vr: str, value: bytes) -> RawDataElement:
    return RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


@pytest.mark.parametrize(
    ("element", "kind", "at"),
    [
        (_raw(0x00186011, "SQ", b"\x08\x00\x05\x00\x10\x00\x00\x00no item at all!!"), "unknown", "(0018,6011)[0]"),
        (_raw(0x0020000E, "UI", b"1.2.\xff"), "unreadable", "(0020,000E)"),
    ],
)
def test_values_that_cannot_be_parsed(element: RawDataElement, kind: str, at: str) -> None:
    original = objects.received(objects.ct())
    original[element.tag] = element
    assert any(finding.kind.startswith(kind) and finding.at.startswith(at) for finding in _findings(original))


def test_sequences_nested_too_deep() -> None:
    original = objects.ct()
    item = Dataset()
    for _ in range(40):
        outer = Dataset()
        outer.SharedFunctionalGroupsSequence = Sequence([item])
        item = outer
    original.SharedFunctionalGroupsSequence = Sequence([item])
    assert _kinds(original) == {"too-deep"}
