"""Our storage node against dcmtk's clients."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydicom.uid import UID

from dicom_node.equivalence import Likeness, compare, dataset_sha256
from dicom_node.header import read_file_header
from dicom_node.part10 import split_file
from dicom_node.scp import ReceivedInstance
from gateway.domain import hooks
from gateway.domain.errors import Full, Invalid
from gateway.domain.party import DicomAddress, Endpoint
from tests.integration.dicom_node.node import STRANGER, Node, open_sender, pacs, running_node
from tests.peers import dcmtk, generated
from tests.peers.files import Kind, RealFile, real_files

WITHOUT_STUDY = ("JPEGLSNearLossless_16.dcm",)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path) as running:
        yield running


def written(folder: Path, content: bytes, name: str = "one.dcm") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def ct_file(folder: Path) -> Path:
    (image,) = generated.ct_series(slices=1)
    return written(folder, generated.part10(image), "ct.dcm")


def data_set_of(part10: bytes) -> tuple[str, bytes]:
    syntax, offset = split_file(part10)
    return syntax, part10[offset:]


def test_a_known_caller_is_echoed(node: Node) -> None:
    assert dcmtk.echoscu(node.address).is_success


def test_the_end_of_an_association_says_how_many_objects_were_stored(node: Node, tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        assert dcmtk.storescu(node.address, [ct_file(tmp_path)]).is_success
        assert dcmtk.echoscu(node.address).is_success
        node.wait_until_idle()
    assert [line["stored"] for line in lines if line["event"] == "association_ended"] == [1, 0]


def test_an_unknown_caller_is_rejected(node: Node) -> None:
    outcome = dcmtk.echoscu(node.address, calling=STRANGER)
    assert not outcome.is_success
    assert "Calling AE Title Not Recognized" in outcome.output


def test_a_wrong_called_title_is_rejected(node: Node) -> None:
    elsewhere = DicomAddress("ELSEWHERE", node.address.host, node.address.port)
    outcome = dcmtk.echoscu(elsewhere)
    assert not outcome.is_success
    assert "Called AE Title Not Recognized" in outcome.output


def test_a_registration_counts_from_the_next_association(node: Node) -> None:
    known: set[str] = set()
    node.known = lambda ae_title: pacs(ae_title) if ae_title in known else None
    assert not dcmtk.echoscu(node.address, calling="NEW").is_success
    known.add("NEW")
    assert dcmtk.echoscu(node.address, calling="NEW").is_success


def test_a_failing_finder_lets_nobody_in_for_the_moment(node: Node) -> None:
    def broken(ae_title: str) -> Endpoint:
        raise RuntimeError("database is away")

    node.known = broken
    outcome = dcmtk.echoscu(node.address)
    assert "Rejected Transient" in outcome.output


@pytest.mark.parametrize("file", real_files(), ids=lambda file: file.name)
def test_real_files_are_stored_byte_by_byte(node: Node, file: RealFile) -> None:
    content = file.path.read_bytes()
    if file.name in WITHOUT_STUDY:
        assert (dcmtk.dcmsend(node.address, [file.path]).stored, node.files) == (0, [])
        return
    sop_class_uid = read_file_header(content).sop_class_uid
    with open_sender(node.address, "SENDER", [(sop_class_uid, file.transfer_syntax_uid)]) as sender:
        assert sender.send(file.path) == 0x0000
    (instance,), (stored,) = node.received, node.files
    assert data_set_of(stored) == data_set_of(content)
    assert instance.sha256 == hashlib.sha256(stored).hexdigest() == dataset_sha256(content)
    assert instance.size_bytes == len(stored)
    assert (instance.calling_ae_title, instance.caller) == ("SENDER", pacs("SENDER"))


@pytest.mark.parametrize("file", real_files(Kind.PLAIN, Kind.COMPRESSED, Kind.BIG_ENDIAN), ids=lambda file: file.name)
def test_what_dcmtk_sends_is_what_it_read(node: Node, file: RealFile) -> None:
    outcome = dcmtk.dcmsend(node.address, [file.path], options=["--decompress-never"])
    if file.name in WITHOUT_STUDY:
        assert (outcome.stored, node.files) == (0, [])
        return
    assert outcome.stored == 1, outcome.output
    assert compare(node.files[0], file.path.read_bytes()) in (Likeness.SAME_BYTES, Likeness.SAME_CONTENT)


def test_a_series_arrives_in_one_association(node: Node, tmp_path: Path) -> None:
    series = generated.ct_series(slices=8, edge_pixels=512)
    paths = [written(tmp_path, generated.part10(image), f"{number}.dcm") for number, image in enumerate(series)]
    outcome = dcmtk.storescu(node.address, paths)
    assert outcome.is_success, outcome.output
    assert [data_set_of(file) for file in node.files] == [data_set_of(path.read_bytes()) for path in paths]
    assert len({instance.association_id for instance in node.received}) == 1


@pytest.mark.parametrize("max_pdu_bytes", [4096, 16_384, 131_072])
def test_every_pdu_size_will_do(node: Node, tmp_path: Path, max_pdu_bytes: int) -> None:
    path = ct_file(tmp_path)
    outcome = dcmtk.storescu(node.address, [path], options=["--max-send-pdu", str(max_pdu_bytes)])
    assert outcome.is_success, outcome.output
    assert data_set_of(node.files[0]) == data_set_of(path.read_bytes())


def test_the_caller_sees_success_only_after_the_receiver_returned(node: Node, tmp_path: Path) -> None:
    order: list[str] = []
    node.before_return = lambda instance: order.append("received")
    hooks.observe(order.append)
    try:
        assert dcmtk.storescu(node.address, [ct_file(tmp_path)]).is_success
    finally:
        hooks.forget(order.append)
    assert order == ["received", "dicom.before_ack", "dicom.after_ack"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Full("no room"), "a700"), (Invalid("not wanted"), "c000"), (RuntimeError("Öztürk^Ayşe"), "c0ff")],
)
def test_a_refusal_of_the_receiver_is_answered_with_its_status(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception, status: str
) -> None:
    def refuse(instance: ReceivedInstance) -> None:
        raise error

    node.before_return = refuse
    outcome = dcmtk.storescu(node.address, [ct_file(tmp_path)], options=["-d"])
    assert not outcome.is_success
    assert f"0x{status}" in outcome.output
    assert "Öztürk" not in outcome.output
    assert "Öztürk" not in capsys.readouterr().out
    assert not node.leftovers()


def test_the_association_goes_on_after_a_refusal(node: Node, tmp_path: Path) -> None:
    refusals = [Invalid("the first one")]

    def refuse_first(instance: ReceivedInstance) -> None:
        if refusals:
            raise refusals.pop()

    node.before_return = refuse_first
    series = generated.ct_series(slices=2)
    paths = [written(tmp_path, generated.part10(image), f"{number}.dcm") for number, image in enumerate(series)]
    assert dcmtk.dcmsend(node.address, paths).stored == 1
    assert len(node.received) == 1


def test_a_full_disk_is_refused_before_it_is_full(tmp_path: Path) -> None:
    with running_node(tmp_path, reserve_bytes=1 << 60) as node:
        outcome = dcmtk.storescu(node.address, [ct_file(tmp_path)], options=["-d"])
        assert "0xa700" in outcome.output
        assert dcmtk.echoscu(node.address).is_success


def test_an_sop_class_of_somebodys_own_can_be_added(tmp_path: Path) -> None:
    own = UID("1.2.826.0.1.3680043.9.9999.1")
    (image,) = generated.ct_series(slices=1)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = own
    path = written(tmp_path, generated.part10(image))
    with running_node(tmp_path) as node:
        assert dcmtk.dcmsend(node.address, [path]).stored == 0
    with running_node(tmp_path, extra_sop_classes=(own,)) as node:
        assert dcmtk.dcmsend(node.address, [path]).stored == 1


@pytest.mark.parametrize("kind", [Kind.BIG_ENDIAN, Kind.DEFLATED])
def test_storescu_may_choose_the_transfer_syntax(node: Node, kind: Kind) -> None:
    option = {Kind.BIG_ENDIAN: "-xb", Kind.DEFLATED: "-xd"}[kind]
    (image, *_) = real_files(kind)
    outcome = dcmtk.storescu(node.address, [image.path], options=[option])
    assert outcome.is_success, outcome.output
    assert node.received[0].header.transfer_syntax_uid == image.transfer_syntax_uid
