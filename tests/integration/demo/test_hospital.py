"""The demo's PACS on a real port: what it answers, takes and refuses."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest
from pydicom import dcmread
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.presentation import build_context

from dicom_node.encapsulated_pdf import CONTEXT
from dicom_node.scu import echo, find_study, has_instance, open_sender
from gateway.demo.comparison import pdf_inside
from gateway.demo.hospital import Hospital
from gateway.demo.listening import DicomListener
from gateway.demo.places import LOOPBACK
from gateway.demo.reviewer import Reviewer
from gateway.demo.waiting import StepFailed
from gateway.domain.party import DicomAddress
from tests.core import unasked
from tests.integration.demo.scenery import CASE, PDF, REPORT, images, report_object


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    """A PACS that holds three slices."""
    hospital = Hospital(tmp_path / "hospital")
    hospital.acquire(images())
    hospital.start()
    yield hospital
    hospital.stop()


def test_names_the_study_as_its_objects_do(hospital: Hospital) -> None:
    echo(hospital.address, "CONSILIUM")
    [found] = find_study(hospital.address, "CONSILIUM", CASE.study_instance_uid, before_send=unasked)
    assert (found.patient_id, found.patient_name) == (CASE.record_number, "Öztürk^Ayşe Işıl")
    assert (found.birth_date, found.sex, found.accession_number) == ("19670421", "F", CASE.accession_number)
    assert find_study(hospital.address, "CONSILIUM", "1.2.3", before_send=unasked) == []


def test_takes_a_report_into_its_study_and_shows_it_at_image_level(hospital: Hospital) -> None:
    assert hospital.reports(CASE.study_instance_uid) == []
    assert not has_instance(hospital.address, "CONSILIUM", REPORT, before_send=unasked)
    assert _send(hospital.address, report_object()) == 0x0000
    [file] = hospital.reports(CASE.study_instance_uid)
    assert pdf_inside(file) == PDF
    assert has_instance(hospital.address, "CONSILIUM", REPORT, before_send=unasked)


def test_refuses_a_report_of_another_patient_or_study(hospital: Hospital) -> None:
    assert _send(hospital.address, report_object(patient_id="MRN-9")) == 0xA900
    assert _send(hospital.address, report_object(study_uid="1.2.3")) == 0xC000
    assert hospital.reports(CASE.study_instance_uid) == []


def test_sends_its_files_to_a_node(hospital: Hospital, tmp_path: Path) -> None:
    reviewer = Reviewer(tmp_path / "reviewer")
    reviewer.start()
    try:
        files = sorted((hospital.folder / CASE.study_instance_uid).iterdir())
        assert hospital.send(files, reviewer.address) == 3
        received = reviewer.images()
        assert [dcmread(file).InstanceNumber for file in received] == [1, 2, 3]
        assert dcmread(received[0]).PixelData == dcmread(files[0]).PixelData
        assert _send(reviewer.address, report_object()) == 0x0000
        assert [pdf_inside(file) for file in reviewer.documents()] == [PDF]
        assert len(reviewer.images()) == 3
    finally:
        reviewer.stop()


def test_sending_stops_with_the_status_of_a_refusal(hospital: Hospital) -> None:
    files = sorted((hospital.folder / CASE.study_instance_uid).iterdir())

    def _full(_event: Event) -> int:
        return 0xA700

    ct = dcmread(files[0]).SOPClassUID
    full = DicomListener("FULL", [build_context(ct)], [(evt.EVT_C_STORE, _full)])
    full.start()
    try:
        with pytest.raises(StepFailed, match="object 1 of 3 was not stored: 0xA700"):
            hospital.send(files, full.address)
    finally:
        full.stop()
    with pytest.raises(StepFailed, match="does not answer to the AE title 'NOBODY'"):
        hospital.send(files, DicomAddress("NOBODY", LOOPBACK, hospital.address.port))


def _send(address: DicomAddress, part10: bytes) -> int:
    with open_sender(address, "CONSILIUM", [CONTEXT], spool_folder=Path(gettempdir())) as sender:
        return sender.send(part10)
