"""The strict PACS refuses what a strict archive refuses, and misbehaves only when told to."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from tests.peers import dcmtk
from tests.peers.files import local_path
from tests.peers.generated import AYSE, CAGRI, ct_series, part10, pathology_pdf
from tests.peers.processes import is_listening
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_pacs import COERCED_SERIES_DESCRIPTION, StrictPacs


@pytest.fixture
def pacs() -> Iterator[StrictPacs]:
    with StrictPacs() as started:
        yield started


@pytest.fixture
def image(pacs: StrictPacs) -> FileDataset:
    """An image of a study that the PACS knows."""
    ds = ct_series(slices=1)[0]
    pacs.register(RegisteredStudy.of(ds))
    return ds


def test_an_object_that_fits_is_stored(pacs: StrictPacs, image: FileDataset) -> None:
    assert _status(pacs, image) == 0x0000
    assert [ds.SOPInstanceUID for ds in pacs.stored] == [image.SOPInstanceUID]
    assert pacs.stored[0].PatientName == AYSE.dicom_name
    assert pacs.statuses == [0x0000]


def test_dcmtk_is_served_too(pacs: StrictPacs, image: FileDataset, tmp_path: Path) -> None:
    (tmp_path / "image.dcm").write_bytes(part10(image))
    assert dcmtk.echoscu(pacs.address).is_success
    assert dcmtk.dcmsend(pacs.address, [tmp_path / "image.dcm"]).stored == 1
    assert dcmtk.dcmsend(pacs.address, [tmp_path / "image.dcm"]).stored == 0  # it is there already
    assert not dcmtk.storescu(pacs.address, [tmp_path / "image.dcm"]).is_success
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": image.StudyInstanceUID, "PatientID": ""}
    assert AYSE.patient_id in dcmtk.findscu(pacs.address, keys).output


def test_compressed_objects_are_taken_as_they_are(pacs: StrictPacs) -> None:
    compressed = pydicom.dcmread(local_path("MR_small_RLE.dcm"))
    pacs.register(RegisteredStudy.of(compressed))
    assert dcmtk.dcmsend(pacs.address, [local_path("MR_small_RLE.dcm")]).stored == 1
    kept = pacs.stored[0]
    assert isinstance(kept, FileDataset)
    assert kept.file_meta.TransferSyntaxUID == compressed.file_meta.TransferSyntaxUID
    assert kept.PixelData == compressed.PixelData


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", CAGRI.patient_id),
        ("IssuerOfPatientID", "ANOTHER"),
        ("IssuerOfPatientID", None),
        ("PatientName", CAGRI.dicom_name),
        ("PatientBirthDate", "19670422"),
        ("PatientSex", "M"),
        ("AccessionNumber", "ACC-1"),
        ("StudyID", ""),
        ("StudyDate", "20250101"),
        ("StudyTime", "101501"),
    ],
)
def test_another_patient_or_study_is_refused(
    pacs: StrictPacs, image: FileDataset, keyword: str, value: str | None
) -> None:
    if value is None:
        del image[keyword]
    else:
        setattr(image, keyword, value)
    answer = _store(pacs, image)
    assert answer.Status == 0xA900
    assert answer.OffendingElement == pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(keyword) or 0)
    assert pacs.stored == []
    assert len(pacs.received) == 1


def test_an_unknown_study_is_refused(pacs: StrictPacs) -> None:
    assert _status(pacs, ct_series(slices=1)[0]) == 0xC000
    assert pacs.stored == []


def test_a_duplicate_is_refused_and_the_first_one_stays(pacs: StrictPacs, image: FileDataset) -> None:
    assert _status(pacs, image) == 0x0000
    image.SeriesDescription = "changed"
    assert _status(pacs, image) == 0x0111
    assert [ds.SeriesDescription for ds in pacs.stored] == ["Neck 3.0 contrast"]
    assert [ds.SeriesDescription for ds in pacs.received] == ["Neck 3.0 contrast", "changed"]


def test_a_merged_patient_is_the_patient_from_then_on(pacs: StrictPacs, image: FileDataset) -> None:
    pacs.register(replace(RegisteredStudy.of(image), patient_id="MRN-MERGED"))
    assert _status(pacs, image) == 0xA900
    image.PatientID = "MRN-MERGED"
    assert _status(pacs, image) == 0x0000


def test_a_pdf_is_taken_where_it_is_not_refused(pacs: StrictPacs, image: FileDataset) -> None:
    assert _status(pacs, _document(image)) == 0x0000


def test_a_pdf_is_refused_in_the_negotiation(pacs: StrictPacs, image: FileDataset) -> None:
    pacs.refuse_pdf = True
    association = _associate(pacs, EncapsulatedPDFStorage, CTImageStorage)
    assert [each.abstract_syntax for each in association.accepted_contexts] == [CTImageStorage]
    assert association.send_c_store(image).Status == 0x0000
    association.release()
    assert [ds.SOPClassUID for ds in pacs.received] == [CTImageStorage]


@pytest.mark.parametrize("status", [0x0122, 0xA800])
def test_a_pdf_is_refused_by_status(image: FileDataset, status: int) -> None:
    with StrictPacs(refuse_pdf=True, pdf_status=status) as pacs:
        pacs.register(RegisteredStudy.of(image))
        assert _status(pacs, _document(image)) == status
        assert _status(pacs, image) == 0x0000


def test_a_coerced_value_is_stored_and_told(pacs: StrictPacs, image: FileDataset) -> None:
    pacs.coerce = True
    answer = _store(pacs, image)
    assert answer.Status == 0xB000
    assert answer.OffendingElement == 0x0008103E
    assert [ds.SeriesDescription for ds in pacs.stored] == [COERCED_SERIES_DESCRIPTION]
    assert [ds.SeriesDescription for ds in pacs.received] == ["Neck 3.0 contrast"]


def test_the_answer_comes_after_the_senders_time_out_and_the_object_is_there(
    pacs: StrictPacs, image: FileDataset
) -> None:
    pacs.answer_after_s = 30
    began = time.monotonic()
    answer = _store(pacs, image, dimse_timeout_s=0.3)
    assert "Status" not in answer
    assert len(pacs.stored) == 1
    pacs.stop()
    assert time.monotonic() - began < 10


def test_unavailable_for_a_while(pacs: StrictPacs, image: FileDataset) -> None:
    pacs.unavailable = True
    entity = AE("SENDER")
    entity.add_requested_context(CTImageStorage)
    association = entity.associate(pacs.address.host, pacs.address.port, ae_title=pacs.ae_title)
    assert association.is_rejected
    assert association.acceptor.primitive is not None
    assert association.acceptor.primitive.result == 0x02
    pacs.unavailable = False
    assert _status(pacs, image) == 0x0000


def test_scripted_statuses_come_first(pacs: StrictPacs, image: FileDataset) -> None:
    pacs.script(0xA700, 0xA700)
    assert [_status(pacs, image) for _ in range(3)] == [0xA700, 0xA700, 0x0000]
    assert len(pacs.stored) == 1


def test_strangers_and_wrong_titles_are_rejected(image: FileDataset) -> None:
    with StrictPacs(known_callers=["GATEWAY"]) as pacs:
        assert not dcmtk.echoscu(pacs.address, calling="STRANGER").is_success
        assert dcmtk.echoscu(pacs.address, calling="GATEWAY").is_success
        elsewhere = replace(pacs.address, ae_title="ANOTHER")
        assert not dcmtk.echoscu(elsewhere, calling="GATEWAY").is_success


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "ISO_IR 148"])
def test_a_query_answers_what_is_registered(pacs: StrictPacs, image: FileDataset, character_set: str) -> None:
    pacs.query_character_set = character_set
    found = _find(pacs, StudyInstanceUID=image.StudyInstanceUID, PatientName="", IssuerOfPatientID="", StudyID="")
    assert [status for status, _ in found] == [0xFF00, 0x0000]
    match = found[0][1]
    assert match is not None
    assert match.PatientName == AYSE.dicom_name
    assert (match.IssuerOfPatientID, match.StudyID) == (AYSE.issuer, "S117")
    assert match.SpecificCharacterSet == character_set
    assert "AccessionNumber" not in match


@pytest.mark.parametrize(
    ("keys", "is_found"),
    [
        ({"PatientID": "MRN-0048151"}, True),
        ({"PatientID": "MRN-004815"}, False),
        ({"PatientID": "MRN-*"}, True),
        ({"PatientName": "öztürk*"}, True),
        ({"AccessionNumber": "ACC-2025-011?"}, True),
        ({"StudyDate": "20251101-20251130"}, True),
        ({"StudyDate": "-20251102"}, False),
        ({"StudyDate": "20251103"}, True),
        ({"StudyInstanceUID": "1.2.3"}, False),
    ],
)
def test_the_matching_is_that_of_the_standard(
    pacs: StrictPacs, image: FileDataset, keys: dict[str, str], is_found: bool
) -> None:
    found = _find(pacs, **{"StudyInstanceUID": "", **keys})
    assert [ds.StudyInstanceUID for _, ds in found if ds] == ([image.StudyInstanceUID] if is_found else [])


def test_a_key_that_is_not_kept_is_told(pacs: StrictPacs, image: FileDataset) -> None:
    found = _find(pacs, StudyInstanceUID=image.StudyInstanceUID, PatientComments="")
    assert [status for status, _ in found] == [0xFF01, 0x0000]


def test_an_instance_is_found_below_its_series_only(pacs: StrictPacs, image: FileDataset) -> None:
    _store(pacs, image)
    keys = {"StudyInstanceUID": image.StudyInstanceUID, "SOPInstanceUID": image.SOPInstanceUID}
    assert [status for status, _ in _find(pacs, level="IMAGE", **keys)] == [0xA900]
    found = _find(pacs, level="IMAGE", SeriesInstanceUID=image.SeriesInstanceUID, **keys)
    assert [ds.SOPInstanceUID for _, ds in found if ds] == [image.SOPInstanceUID]
    other = {**keys, "SOPInstanceUID": "1.2.3"}
    assert [ds for _, ds in _find(pacs, level="IMAGE", SeriesInstanceUID=image.SeriesInstanceUID, **other) if ds] == []


def test_it_stops_and_comes_back_on_the_same_port(pacs: StrictPacs, image: FileDataset) -> None:
    _store(pacs, image)
    threads = threading.active_count()
    pacs.stop()
    assert not is_listening(pacs.address.port)
    assert threading.active_count() < threads
    pacs.start()
    assert _status(pacs, image) == 0x0111


def _document(image: FileDataset) -> FileDataset:
    """A document in the image's study, with just enough to be told apart."""
    ds = pydicom.dcmread(BytesIO(part10(image)))
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.EncapsulatedDocument = pathology_pdf() + b"\0" * (len(pathology_pdf()) % 2)
    return ds


def _associate(pacs: StrictPacs, *sop_classes: str, dimse_timeout_s: float = 20) -> Association:
    entity = AE("SENDER")
    entity.dimse_timeout = dimse_timeout_s
    for each in sop_classes:
        entity.add_requested_context(each, ExplicitVRLittleEndian)
    association = entity.associate(pacs.address.host, pacs.address.port, ae_title=pacs.ae_title)
    assert association.is_established
    return association


def _store(pacs: StrictPacs, ds: FileDataset, *, dimse_timeout_s: float = 20) -> Dataset:
    association = _associate(pacs, ds.SOPClassUID, dimse_timeout_s=dimse_timeout_s)
    answer = association.send_c_store(ds)
    association.release()
    return answer


def _status(pacs: StrictPacs, ds: FileDataset) -> int:
    return int(_store(pacs, ds).Status)


def _find(pacs: StrictPacs, *, level: str = "STUDY", **keys: str) -> list[tuple[int, Dataset | None]]:
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    model = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve Information Model - FIND
    association = _associate(pacs, model)
    found = [(int(status.Status), ds) for status, ds in association.send_c_find(identifier, model)]
    association.release()
    return found
