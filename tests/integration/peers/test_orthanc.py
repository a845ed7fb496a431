"""Orthanc as the hospital's PACS and as the reviewer's node."""

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from tests.peers import dcmtk
from tests.peers.generated import AYSE, LATIN_5, ct_series, part10
from tests.peers.orthanc import Orthanc
from tests.peers.processes import PeerFailure, free_port, is_group_alive, is_listening


@pytest.fixture(scope="module")
def hospital() -> Iterator[Orthanc]:
    with Orthanc("HOSPITAL") as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def reviewer() -> Iterator[Orthanc]:
    with Orthanc("REVIEWER") as orthanc:
        yield orthanc


@pytest.fixture(autouse=True)
def _empty(hospital: Orthanc, reviewer: Orthanc) -> None:
    hospital.clear()
    reviewer.clear()


def test_a_study_goes_from_one_to_the_other(hospital: Orthanc, reviewer: Orthanc) -> None:
    series = ct_series(slices=3)
    for ds in series:
        hospital.upload(part10(ds))
    hospital.add_modality("reviewer", reviewer.ae_title, reviewer.address.host, reviewer.address.port)
    assert hospital.echo("reviewer")
    summary = hospital.store_to("reviewer", series[0].StudyInstanceUID)
    assert summary["InstancesCount"] == 3
    assert reviewer.studies() == [series[0].StudyInstanceUID]
    arrived = {pydicom.dcmread(_file(each)).SOPInstanceUID for each in reviewer.dicom_files()}
    assert arrived == {ds.SOPInstanceUID for ds in series}


@pytest.mark.parametrize("character_set", ["ISO_IR 192", LATIN_5])
def test_turkish_letters_are_understood(hospital: Orthanc, character_set: str) -> None:
    ds = ct_series(slices=1, character_set=character_set)[0]
    hospital.upload(part10(ds))
    found = hospital.find_study(ds.StudyInstanceUID)
    assert found is not None
    assert found["PatientMainDicomTags"]["PatientName"] == AYSE.dicom_name


def test_it_answers_dcmtk(hospital: Orthanc, tmp_path: Path) -> None:
    assert dcmtk.echoscu(hospital.address).is_success
    ds = ct_series(slices=1)[0]
    (tmp_path / "slice.dcm").write_bytes(part10(ds))
    assert dcmtk.storescu(hospital.address, [tmp_path / "slice.dcm"]).is_success
    found = dcmtk.findscu(
        hospital.address, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ds.StudyInstanceUID, "PatientID": ""}
    )
    assert found.is_success
    assert AYSE.patient_id in found.output


def test_a_refused_store_is_reported(hospital: Orthanc) -> None:
    ds = ct_series(slices=1)[0]
    hospital.upload(part10(ds))
    hospital.add_modality("nobody", "NOBODY", "127.0.0.1", free_port())
    assert not hospital.echo("nobody")
    with pytest.raises(PeerFailure, match="Connection refused"):
        hospital.store_to("nobody", ds.StudyInstanceUID)
    with pytest.raises(PeerFailure, match="not in this Orthanc"):
        hospital.store_to("nobody", "1.2.3")


def test_what_is_no_dicom_is_refused(hospital: Orthanc) -> None:
    with pytest.raises(PeerFailure, match="400"):
        hospital.upload(b"not a DICOM file")
    assert hospital.instances() == []


def test_it_keeps_its_data_over_a_restart_and_leaves_nobody_behind() -> None:
    with Orthanc("RESTARTED") as orthanc:
        orthanc.upload(part10(ct_series(slices=1)[0]))
        first = orthanc.process.pid
        orthanc.stop()
        assert not is_listening(orthanc.dicom_port)
        orthanc.start()
        assert len(orthanc.instances()) == 1
        second = orthanc.process.pid
    assert not is_group_alive(first)
    assert not is_group_alive(second)
    assert not is_listening(orthanc.http_port)


def _file(content: bytes) -> pydicom.filebase.DicomBytesIO:
    return pydicom.filebase.DicomBytesIO(content)
