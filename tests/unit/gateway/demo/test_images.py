"""The generated CT: a series that viewers open and that the de-identification takes."""

from datetime import UTC, date, datetime
from io import BytesIO

import numpy as np
from pydicom import dcmread

from dicom_node.deidentify import Pseudonyms, deidentify
from gateway.demo.cast import demo_case
from gateway.demo.images import EDGE_PIXELS, ct_series
from gateway.domain.pseudonym import pseudonymous_uid

CASE = demo_case(date(2026, 3, 2))
ACQUIRED_AT = datetime(2026, 2, 20, 10, 15, tzinfo=UTC)


def test_is_one_series_of_different_slices() -> None:
    series = ct_series(CASE, ACQUIRED_AT)
    assert len(series) == 24
    assert {ds.StudyInstanceUID for ds in series} == {CASE.study_instance_uid}
    assert len({ds.SeriesInstanceUID for ds in series}) == 1
    assert len({ds.SOPInstanceUID for ds in series}) == 24
    assert [ds.ImagePositionPatient[2] for ds in series] == [3.0 * number for number in range(24)]
    assert len({ds.PixelData for ds in series}) == 24


def test_a_file_reads_back_with_name_and_pixels() -> None:
    [image] = ct_series(CASE, ACQUIRED_AT, slices=1)
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    read = dcmread(BytesIO(file.getvalue()))
    assert read.PatientName == "Öztürk^Ayşe Işıl"
    pixels = read.pixel_array
    assert pixels.dtype == np.int16
    assert pixels.shape == (EDGE_PIXELS, EDGE_PIXELS)
    assert pixels.min() < -900
    assert pixels.max() > 700


def test_can_be_proven_clean() -> None:
    known = ("Öztürk^Ayşe Işıl", CASE.record_number, CASE.accession_number)
    pseudonyms = Pseudonyms(
        patient="CS2MWQFS4UQJ",
        issuer="CONSILIUM",
        accession_number="ACWF9ZTAVEUX",
        study_id="ACWF9ZTAVEUX",
        uid=lambda uid: pseudonymous_uid(b"k" * 32, "reviewer", uid),
        known_identifiers=known,
    )
    for image in ct_series(CASE, ACQUIRED_AT, slices=3):
        outcome = deidentify(image, pseudonyms)
        assert outcome.findings == ()
