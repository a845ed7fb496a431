"""The input of the acceptance tests: real files that are there, and generated ones that hold what they promise."""

from datetime import date
from io import BytesIO

import pydicom
import pypdf
import pytest
from pydicom.errors import InvalidDicomError

from tests.peers.files import REAL_FILES, Kind, RealFile, local_path, real_files
from tests.peers.generated import (
    AYSE,
    CAGRI,
    LATIN_5,
    UTF_8,
    ct_series,
    jpeg_pretending_to_be_dicom,
    part10,
    pathology_pdf,
    truncated,
)
from tests.peers.processes import PeerFailure


@pytest.mark.parametrize("real", REAL_FILES, ids=lambda each: each.name)
def test_the_real_file_is_what_the_list_says(real: RealFile) -> None:
    ds = pydicom.dcmread(real.path, force=True, stop_before_pixels=True)
    assert str(ds.file_meta.get("TransferSyntaxUID", "")) == str(real.transfer_syntax_uid)
    assert str(ds.get("Modality", "") or "") == real.modality
    if real.kind is Kind.MULTI_FRAME:
        assert int(ds.NumberOfFrames) > 1
    if real.kind is Kind.CHARACTER_SET:
        assert ds.SpecificCharacterSet


def test_every_kind_has_its_files() -> None:
    assert all(real_files(kind) for kind in Kind)
    assert not any(each.kind is Kind.BROKEN for each in real_files())
    assert {each.modality for each in real_files(Kind.PLAIN)} == {"CT", "MR", "US"}


def test_a_file_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(PeerFailure, match="neither in the installed"):
        local_path("nobody.dcm")


@pytest.mark.parametrize("character_set", [UTF_8, LATIN_5])
def test_the_ct_is_a_series_of_different_slices_of_one_patient(character_set: str) -> None:
    written = ct_series(slices=4, character_set=character_set, patient=CAGRI, study_date=date(2025, 1, 7))
    read = [pydicom.dcmread(BytesIO(part10(ds))) for ds in written]
    assert {str(ds.PatientName) for ds in read} == {"Güneş^Çağrı"}
    assert {str(ds.SpecificCharacterSet) for ds in read} == {character_set}
    assert {str(ds.StudyDate) for ds in read} == {"20250107"}
    assert [len({str(ds[keyword].value) for ds in read}) for keyword in ("StudyInstanceUID", "SeriesInstanceUID")] == [
        1,
        1,
    ]
    assert len({ds.SOPInstanceUID for ds in read}) == 4
    assert len({ds.pixel_array.tobytes() for ds in read}) == 4
    assert [float(ds.ImagePositionPatient[2]) for ds in read] == [3.0, 6.0, 9.0, 12.0]


def test_the_same_study_uid_gives_the_same_bytes_and_another_one_does_not() -> None:
    first, again, other = (
        part10(ct_series(slices=1, study_instance_uid=uid)[0]) for uid in ("2.25.1", "2.25.1", "2.25.2")
    )
    assert first == again
    assert first != other


def test_the_pathology_report_says_whose_it_is() -> None:
    text = pypdf.PdfReader(BytesIO(pathology_pdf())).pages[0].extract_text()
    assert "Ayşe Işıl Öztürk" in text
    assert AYSE.patient_id in text
    assert "Güneş" in pypdf.PdfReader(BytesIO(pathology_pdf(CAGRI))).pages[0].extract_text()


def test_the_broken_ones_are_broken() -> None:
    with pytest.raises(InvalidDicomError):
        pydicom.dcmread(BytesIO(jpeg_pretending_to_be_dicom()))
    whole = part10(ct_series(slices=1)[0])
    cut = pydicom.dcmread(BytesIO(truncated(whole)))
    assert len(cut.PixelData) < cut.Rows * cut.Columns * 2
