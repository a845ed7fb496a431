"""dcmtk's tools, run as a hospital's technician runs them."""

from pathlib import Path

import pydicom
import pytest

from gateway.domain.party import DicomAddress
from tests.peers import dcmtk
from tests.peers.files import Kind, local_path, real_files
from tests.peers.generated import ct_series, part10
from tests.peers.orthanc import Orthanc
from tests.peers.processes import LOOPBACK, PeerFailure, free_port, is_group_alive

_TOOLS = ("echoscu", "storescu", "dcmsend", "findscu", "getscu", "movescu", "storescp")


@pytest.mark.parametrize("name", _TOOLS)
def test_the_tool_is_dcmtks_own(name: str) -> None:
    assert ".venv" not in dcmtk.binary(name)


def test_a_tool_that_is_not_dcmtks_is_not_taken() -> None:
    with pytest.raises(PeerFailure, match="not installed"):
        dcmtk.binary("env")


def test_storescp_keeps_every_object_that_comes() -> None:
    sent = local_path("CT_small.dcm")
    with dcmtk.StoreScp("SINK") as sink:
        assert dcmtk.storescu(sink.address, [sent, sent]).stored == 2
        assert dcmtk.dcmsend(sink.address, [local_path("MR_small_RLE.dcm")]).stored == 1
        uids = [pydicom.dcmread(each, stop_before_pixels=True).SOPInstanceUID for each in sink.files()]
        group = sink.process.pid
    first = pydicom.dcmread(sent).SOPInstanceUID
    assert uids[:2] == [first, first]
    assert len(uids) == 3
    assert not is_group_alive(group)


def test_dcmsend_sends_compressed_files_as_they_are() -> None:
    compressed = [each for each in real_files(Kind.COMPRESSED) if each.name.startswith("MR_small")]
    assert len(compressed) == 2
    with dcmtk.StoreScp() as sink:
        assert dcmtk.dcmsend(sink.address, [each.path for each in compressed]).stored == 2
        arrived = {str(pydicom.dcmread(each).file_meta.TransferSyntaxUID) for each in sink.files()}
    assert arrived == {str(each.transfer_syntax_uid) for each in compressed}


@pytest.mark.parametrize("option", ["--refuse", "--abort-after"])
def test_storescp_can_misbehave(option: str) -> None:
    with dcmtk.StoreScp(options=[option]) as sink:
        outcome = dcmtk.storescu(sink.address, [local_path("CT_small.dcm")])
    is_aborted = "Peer abort" in outcome.output  # storescu may then end with 0, as it has nothing left to send
    assert not outcome.is_success or (option == "--abort-after" and is_aborted)
    assert outcome.stored == 0


def test_nobody_listening_is_a_failure() -> None:
    assert not dcmtk.echoscu(DicomAddress("NOBODY", LOOPBACK, free_port())).is_success


def test_query_and_retrieve_against_orthanc(tmp_path: Path) -> None:
    ds = ct_series(slices=2)[0]
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ds.StudyInstanceUID}
    with Orthanc("ARCHIVE") as archive, dcmtk.StoreScp("SINK") as sink:
        archive.upload(part10(ds))
        archive.add_modality("sink", "SINK", sink.address.host, sink.address.port)
        assert "ACC-2025-0117" in dcmtk.findscu(archive.address, {**keys, "AccessionNumber": ""}).output
        assert dcmtk.getscu(archive.address, keys, tmp_path).is_success
        assert [pydicom.dcmread(each).SOPInstanceUID for each in tmp_path.iterdir()] == [ds.SOPInstanceUID]
        assert dcmtk.movescu(archive.address, keys, "SINK").is_success
        assert [pydicom.dcmread(each).SOPInstanceUID for each in sink.files()] == [ds.SOPInstanceUID]
