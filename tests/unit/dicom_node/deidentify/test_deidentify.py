import io
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import BaseTag
from pydicom.uid import UID, JPEG2000Lossless

from dicom_node.deidentify import Outcome, deidentify
from dicom_node.part10 import IMPLEMENTATION_CLASS_UID
from tests.unit.dicom_node.deidentify import objects


def _clean(original: Dataset, scope: str = "reviewer") -> Dataset:
    outcome = deidentify(original, objects.pseudonyms(scope))
    assert outcome.findings == ()
    assert outcome.dataset is not None
    return outcome.dataset


def _raw(ds: Dataset) -> dict[BaseTag, object]:
    return {tag: ds.get_item(tag, keep_deferred=True) for tag in list(ds.keys())}


def test_references_between_objects_still_hold() -> None:
    image = _clean(objects.received(objects.ct(1)))
    report = _clean(objects.received(objects.report()))
    structures = _clean(objects.received(objects.structure_set()))
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == image.StudyInstanceUID == report.StudyInstanceUID
    series = evidence.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    contour = structures.ROIContourSequence[0].ContourSequence[0].ContourImageSequence[0]
    assert contour.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert contour.ReferencedSOPClassUID == image.SOPClassUID == objects.CT
    assert structures.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID == image.FrameOfReferenceUID


def test_two_destinations_share_no_uid() -> None:
    here, there = _clean(objects.ct(), "reviewer"), _clean(objects.ct(), "another")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert here[keyword].value != there[keyword].value


def test_registered_uids_stay() -> None:
    original = objects.ct()
    original.FrameOfReferenceUID = UID("1.2.840.10008.1.4.1.1")  # Talairach brain atlas
    original.RelatedGeneralSOPClassUID = UID("1.3.12.2.1107.5.9.1")
    asked: list[str] = []

    def recorded(uid: str) -> str:
        asked.append(uid)
        return f"2.25.{len(asked)}"

    ds = deidentify(original, replace(objects.pseudonyms(), uid=recorded)).dataset
    assert ds is not None
    assert ds.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert ds.RelatedGeneralSOPClassUID == "1.3.12.2.1107.5.9.1"
    assert asked
    assert all(uid.startswith(objects.ROOT) for uid in asked)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "rtdose.dcm", "waveform_ecg.dcm"])
def test_same_input_gives_same_bytes_and_the_input_stays(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    original, untouched = dcmread(path), dcmread(path)
    first = _clean(original)
    assert _raw(original) == _raw(untouched)
    assert _raw(original.file_meta) == _raw(untouched.file_meta)
    second = _clean(dcmread(path))
    assert objects.written(first) == objects.written(second)


def test_in_memory_input_stays_when_the_output_is_changed() -> None:
    original, untouched = objects.ct(), objects.ct()
    ds = _clean(original)
    ds.ImageType.append("CHANGED")
    ds.Manufacturer = "changed"
    ds.PixelSpacing[0] = 9
    assert original == untouched


def test_pixel_data_is_shared_and_the_transfer_syntax_stays() -> None:
    original = objects.ct()
    original.PixelData = encapsulate([b"\xff\x4f\xff\x51 not decoded by anybody "])
    original["PixelData"].is_undefined_length = True
    original.file_meta.TransferSyntaxUID = JPEG2000Lossless
    received = objects.received(original)
    pixels = received.get_item("PixelData").value
    ds = _clean(received)
    assert ds.get_item("PixelData").value is pixels
    assert ds.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert dcmread(io.BytesIO(objects.written(ds))).PixelData == pixels


def test_dates_follow_the_table_with_constant_dummies() -> None:
    original = objects.ct()
    original.SeriesDate = original.ContentDate = original.AcquisitionDate = "20240102"
    original.ContentTime = "101112"
    ds = _clean(objects.received(original))
    assert (ds.StudyDate, ds.AcquisitionDate) == ("", "")
    assert (ds.SeriesDate, ds.ContentDate, ds.ContentTime) == ("19000101", "19000101", "000000")


def test_what_is_empty_stays_empty() -> None:
    original = objects.ct()
    original.SeriesDate = ""
    original.InstitutionName = None
    original.ReferencedImageSequence = []
    ds = _clean(objects.received(original))
    assert (ds.SeriesDate, ds.InstitutionName, len(ds.ReferencedImageSequence)) == ("", "", 0)


def test_an_odd_birth_date_equal_to_the_dummy_holds_nothing() -> None:
    original = objects.ct()
    original.PatientBirthDate = original.ContentDate = "19000101"
    assert _clean(objects.received(original)).ContentDate == "19000101"


def test_text_that_stays_keeps_its_character_set() -> None:
    original = objects.ct(character_set="ISO_IR 148")
    original.SequenceName = "çekim"
    ds = _clean(objects.received(original))
    assert dcmread(io.BytesIO(objects.written(ds))).SequenceName == "çekim"
    assert ds.SpecificCharacterSet == "ISO_IR 148"


def test_the_implementation_is_the_one_the_node_negotiates_with() -> None:
    assert _clean(objects.ct()).file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


def test_outcome_is_a_dataset_or_findings() -> None:
    outcomes: list[Outcome] = [
        deidentify(build(), objects.pseudonyms()) for build in (objects.ct, objects.pdf, objects.report)
    ]
    assert [outcome.dataset is None for outcome in outcomes] == [bool(outcome.findings) for outcome in outcomes]
