"""Who may send, what is taken, and what becomes of an object that comes again."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom.presentation import build_context

from dicom_node.part10 import build_file_header, split_file
from dicom_node.scu import Timeouts
from dicom_node.scu.association import associated
from dicom_node.status import CANNOT_UNDERSTAND, SOP_CLASS_MISMATCH, SUCCESS
from gateway.domain.party import DicomAddress
from tests.acceptance.scene import PACS_AE_TITLE, address
from tests.acceptance.stage import DISCLOSE, STUDY, Case, Stage
from tests.peers import dcmtk
from tests.peers.generated import ct_series, jpeg_pretending_to_be_dicom, part10, truncated
from tests.peers.processes import LOOPBACK, free_port


def test_an_ae_title_that_nobody_registered_is_rejected_until_it_is(stage: Stage, files: Path) -> None:
    images = [part10(ds) for ds in ct_series(slices=1)]
    files.mkdir()
    path = files / "image.dcm"
    path.write_bytes(images[0])
    node = stage.gateway.address
    for outcome in (dcmtk.echoscu(node, calling="NEWCLINIC"), dcmtk.storescu(node, [path], calling="NEWCLINIC")):
        assert not outcome.is_success
        assert "Calling AE Title Not Recognized" in outcome.output
    wrong = replace(node, ae_title="SOMEBODYELSE")
    assert "Called AE Title Not Recognized" in dcmtk.echoscu(wrong, calling=PACS_AE_TITLE).output

    who = ("--identifier", "urn:oid:2.16.792.1.2.5|new", "--country", "TR", "--time-zone", "Europe/Istanbul")
    pacs = address(DicomAddress("NEWCLINIC", LOOPBACK, free_port()))
    stage.gateway.cli("clinic", "add", "newclinic", *who, "--pacs", pacs)
    assert dcmtk.echoscu(node, calling="NEWCLINIC").is_success
    assert dcmtk.storescu(node, [path], calling="NEWCLINIC").stored == 1


def test_the_same_object_again_is_kept_once_and_in_each_encoding(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    [image] = _images(case, 1)
    plain = part10(image)
    assert stage.send([plain, plain], files).stored == 2
    assert _objects(stage, case) == 1
    assert stage.send([_compressed("dcmcrle", plain, files)], files, "-xr").stored == 1
    assert stage.send([_compressed("dcmcjpeg", plain, files)], files, "-xs").stored == 1
    assert _objects(stage, case) == 3

    stage.until_delivery(case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(case)) == 1
    assert stage.quarantined(case) == []
    assert stage.send([plain], files).stored == 1
    assert _objects(stage, case) == 3


def test_a_correction_under_the_same_uid_waits_for_a_person(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    [image] = _images(case, 1)
    [again] = _images(case, 1)
    again.AccessionNumber, again.PatientName = "CORRECTED", "Öztürk^Ayşe"
    assert stage.send([part10(image), part10(again)], files).stored == 2
    _first_one_leaves(stage, case, image, "correction: the same pixels")


def test_other_pixels_under_the_same_uid_are_both_kept(stage: Stage, files: Path) -> None:
    case = stage.open_case(DISCLOSE)
    [image] = _images(case, 1)
    [other] = _images(case, 1)
    other.PixelData = (np.frombuffer(other.PixelData, "<u2") ^ 1).tobytes()
    assert stage.send([part10(image), part10(other)], files).stored == 2
    _first_one_leaves(stage, case, image, "collision: another object")


def _first_one_leaves(stage: Stage, case: Case, first: FileDataset, reason: str) -> None:
    stage.until_delivery(case.id, STUDY, "delivered")
    assert _objects(stage, case) == 2
    [study] = stage.studies(case.data.study_instance_uid)
    [entry] = [
        one for one in stage.gateway.shown("quarantine", "list", "--limit", "10000") if one["study_id"] == study["id"]
    ]
    assert entry["reason"].startswith(reason)
    [wait] = [one for one in stage.waits(case.id) if reason in one["what"]]
    assert f"consilium quarantine show {entry['id']}" in wait["who"]
    [sent] = stage.at_reviewer(case)
    assert dcmread(sent.filename).PixelData == first.PixelData

    refused = stage.gateway.cli("quarantine", "accept", entry["id"], exit_code=1)
    assert "reject this one" in refused
    stage.gateway.cli("quarantine", "reject", entry["id"])
    assert not any(reason in one["what"] for one in stage.waits(case.id))
    assert len(stage.at_reviewer(case)) == 1


def test_what_is_no_dicom_object_is_refused_and_the_others_are_kept(stage: Stage, files: Path) -> None:
    case = stage.open_case()
    first, cut, foreign, last = _images(case, 4)
    statuses = _store_raw(
        stage.gateway.address,
        files,
        [
            (first.SOPInstanceUID, _data_set(part10(first))),
            (generate_uid(), jpeg_pretending_to_be_dicom()),
            (cut.SOPInstanceUID, _data_set(truncated(part10(cut)))),
            (generate_uid(), _data_set(part10(foreign))),
            (last.SOPInstanceUID, _data_set(part10(last))),
        ],
    )
    assert statuses == [SUCCESS, CANNOT_UNDERSTAND, CANNOT_UNDERSTAND, SOP_CLASS_MISMATCH, SUCCESS]
    assert _objects(stage, case) == 2
    spool = Path(stage.gateway.environment["CONSILIUM_DATA_DIR"]) / "spool"
    assert [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size] == []
    stage.until_matched(case.id)


def _images(case: Case, slices: int) -> list[FileDataset]:
    data = case.data
    return list(
        ct_series(
            slices=slices,
            patient=case.person,
            study_instance_uid=data.study_instance_uid,
            accession=data.accession_number,
        )
    )


def _data_set(part10_bytes: bytes) -> bytes:
    """What follows the file meta information."""
    return part10_bytes[split_file(part10_bytes)[1] :]


def _objects(stage: Stage, case: Case) -> int:
    """How many objects of the study `study list` shows."""
    [study] = stage.studies(case.data.study_instance_uid)
    return int(study["instances"])


def _compressed(tool: str, content: bytes, folder: Path) -> bytes:
    """The same object in another transfer syntax, by dcmtk's encoder."""
    source, target = folder / f"{tool}-in.dcm", folder / f"{tool}-out.dcm"
    source.write_bytes(content)
    subprocess.run([dcmtk.binary(tool), str(source), str(target)], check=True, capture_output=True, timeout=60)
    return target.read_bytes()


def _store_raw(node: DicomAddress, folder: Path, objects: list[tuple[str, bytes]]) -> list[int]:
    """C-STORE these bytes as data sets in one association, whatever they are; gives the statuses."""
    folder.mkdir(exist_ok=True)
    contexts = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    statuses = []
    with associated(node, PACS_AE_TITLE, contexts, Timeouts()) as association:
        for number, (uid, data_set) in enumerate(objects):
            path = folder / f"{number}.raw"
            path.write_bytes(build_file_header(CTImageStorage, uid, ExplicitVRLittleEndian) + data_set)
            statuses.append(association.send_c_store(path).Status)
    return statuses
