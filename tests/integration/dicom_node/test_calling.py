"""Calling other nodes: echo, query, send, diagnose - against dcmtk, Orthanc and the strict PACS."""

import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from struct import pack
from threading import Thread

import pytest

from dicom_node.encapsulated_pdf import CONTEXT, PdfDocument, build_encapsulated_pdf
from dicom_node.equivalence import Likeness, compare
from dicom_node.header import read_file_header
from dicom_node.part10 import split_file
from dicom_node.scu import Timeouts, diagnose, echo, find_instances, find_study
from dicom_node.status import require_delivered
from gateway.domain.errors import Ambiguous, Conflict, Invalid, Permanent, Transient
from gateway.domain.party import DicomAddress
from tests.core import unasked
from tests.integration.dicom_node.node import STRANGER, open_sender, running_node
from tests.peers import dcmtk, generated
from tests.peers.files import RealFile, local_path, real_files
from tests.peers.orthanc import Orthanc
from tests.peers.processes import LOOPBACK, free_port
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_pacs import StrictPacs

US = "CONSILIUM"
STUDY = "1.2.826.0.1.3680043.8.498.7"
QUICK = Timeouts(connect_s=2, association_s=2, response_s=1)
(IMAGE,) = generated.ct_series(slices=1, study_instance_uid=STUDY)
CT = generated.part10(IMAGE)
CT_CONTEXT = (str(IMAGE.SOPClassUID), str(IMAGE.file_meta.TransferSyntaxUID))


@pytest.fixture
def pacs() -> Iterator[StrictPacs]:
    with StrictPacs() as running:
        running.register(RegisteredStudy.of(IMAGE))
        yield running


def unused_address() -> DicomAddress:
    return DicomAddress("NOBODY", LOOPBACK, free_port())


def context_of(content: bytes) -> tuple[str, str]:
    header = read_file_header(content)
    return header.sop_class_uid, header.transfer_syntax_uid


def test_an_echo_comes_back(pacs: StrictPacs) -> None:
    echo(pacs.address, US)


def test_nobody_listening_is_transient() -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        echo(unused_address(), US)


def test_an_unknown_host_is_transient() -> None:
    with pytest.raises(Transient, match="cannot be resolved"):
        echo(DicomAddress("NOBODY", "no-such-host.invalid", 104), US)


@pytest.mark.parametrize(
    ("calling", "called", "remedy"), [(US, "WRONG", "correct the AE title"), (STRANGER, US, "register")]
)
def test_a_rejection_is_permanent_and_says_what_to_do(tmp_path: Path, calling: str, called: str, remedy: str) -> None:
    with running_node(tmp_path) as node, pytest.raises(Permanent, match=remedy):
        echo(DicomAddress(called, LOOPBACK, node.address.port), calling)


def test_congestion_is_transient(pacs: StrictPacs) -> None:
    pacs.unavailable = True
    with pytest.raises(Transient, match="congested"):
        echo(pacs.address, US)


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "ISO_IR 148"])
def test_a_study_is_found_as_the_archive_states_it(character_set: str) -> None:
    with StrictPacs(query_character_set=character_set) as pacs:
        pacs.register(RegisteredStudy.of(IMAGE))
        (study,) = find_study(pacs.address, US, STUDY, before_send=unasked)
    assert (study.patient_name, study.character_set) == ("Öztürk^Ayşe Işıl", character_set)
    assert (study.patient_id, study.issuer_of_patient_id) == ("MRN-0048151", "ANKARA-GH")
    assert (study.birth_date, study.sex, study.accession_number) == ("19670421", "F", "ACC-2025-0117")
    assert (study.study_date, study.study_time, study.study_id) == ("20251103", "101500", "S117")
    assert study.study_instance_uid == STUDY


def test_an_unknown_study_is_not_found(pacs: StrictPacs) -> None:
    assert find_study(pacs.address, US, "1.2.3.4.5", before_send=unasked) == []


def test_an_archive_without_queries_is_permanent() -> None:
    with dcmtk.StoreScp() as scp, pytest.raises(Permanent, match="none of what was offered"):
        find_study(scp.address, US, STUDY, before_send=unasked)


def test_every_object_of_a_study_is_found_in_each_of_its_series(pacs: StrictPacs) -> None:
    two_series = generated.ct_series(slices=4, study_instance_uid=STUDY)
    for image in two_series[2:]:
        image.SeriesInstanceUID = f"{STUDY}.99"
    assert find_instances(pacs.address, US, STUDY, before_send=unasked) == frozenset()
    with open_sender(pacs.address, US, [CT_CONTEXT]) as sender:
        for image in two_series:
            assert sender.send(generated.part10(image)) == 0
    assert find_instances(pacs.address, US, STUDY, before_send=unasked) == {
        image.SOPInstanceUID for image in two_series
    }
    assert find_instances(pacs.address, US, "1.2.3.4.5", before_send=unasked) == frozenset()


def test_orthanc_tells_what_it_has_of_a_study() -> None:
    series = generated.ct_series(slices=3, study_instance_uid=STUDY)
    with Orthanc() as orthanc:
        for image in series[:2]:
            orthanc.upload(generated.part10(image))
        assert find_instances(orthanc.address, US, STUDY, before_send=unasked) == {
            image.SOPInstanceUID for image in series[:2]
        }
        assert find_instances(orthanc.address, US, "1.2.3.4.5", before_send=unasked) == frozenset()


def test_a_node_that_only_stores_tells_nothing() -> None:
    with dcmtk.StoreScp() as scp, pytest.raises(Permanent, match="none of what was offered"):
        find_instances(scp.address, US, STUDY, before_send=unasked)


@pytest.mark.parametrize("file", real_files(), ids=lambda file: file.name)
def test_objects_are_sent_as_they_are(tmp_path: Path, file: RealFile) -> None:
    content = file.path.read_bytes()
    if file.name == "JPEGLSNearLossless_16.dcm":
        with (
            running_node(tmp_path) as node,
            open_sender(node.address, US, [CT_CONTEXT]) as sender,
            pytest.raises(Invalid),
        ):
            sender.send(content)
        return
    with running_node(tmp_path) as node:
        with open_sender(node.address, US, [context_of(content)]) as sender:
            assert sender.send(content) == 0
        stored = node.files[0]
    assert split_file(stored)[0] == split_file(content)[0]
    assert stored[split_file(stored)[1] :] == content[split_file(content)[1] :]


def test_many_objects_go_over_one_association(pacs: StrictPacs) -> None:
    series = [generated.part10(image) for image in generated.ct_series(slices=4, study_instance_uid=STUDY)]
    with open_sender(pacs.address, US, [CT_CONTEXT]) as sender:
        assert [sender.send(content) for content in series] == [0, 0, 0, 0]
    assert len(pacs.stored) == 4


def test_what_may_not_leave_stays_and_the_next_object_goes(pacs: StrictPacs) -> None:
    def refuse() -> None:
        raise Conflict("the grant was cancelled")

    asked = list[int]()
    with open_sender(pacs.address, US, [CT_CONTEXT]) as sender:
        with pytest.raises(Conflict, match="cancelled"):
            sender.send(CT, before_send=refuse)
        assert pacs.received == []
        assert sender.send(CT, before_send=lambda: asked.append(len(pacs.received))) == 0
    assert asked == [0]
    assert len(pacs.received) == 1


def test_dcmtk_stores_what_was_sent() -> None:
    with dcmtk.StoreScp() as scp:
        with open_sender(scp.address, US, [CT_CONTEXT]) as sender:
            assert sender.send(CT) == 0
        (path,) = scp.files()
        assert compare(path.read_bytes(), CT) is Likeness.SAME_BYTES


@pytest.mark.parametrize("status", [0xA700, 0xB000, 0x0111, 0xC123])
def test_the_status_is_handed_on(pacs: StrictPacs, status: int) -> None:
    pacs.script(status)
    with open_sender(pacs.address, US, [CT_CONTEXT]) as sender:
        assert sender.send(CT) == status


def test_a_refused_transfer_syntax_is_permanent_without_leave_to_decompress() -> None:
    compressed = local_path("MR_small_RLE.dcm").read_bytes()
    sop_class_uid, syntax = context_of(compressed)
    with (
        dcmtk.StoreScp(options=("+x=",)) as scp,
        open_sender(scp.address, US, [(sop_class_uid, syntax), (sop_class_uid, CT_CONTEXT[1])]) as sender,
        pytest.raises(Permanent, match="MR Image Storage in RLE Lossless"),
    ):
        sender.send(compressed)


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "693_J2KR.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm"],
)
def test_a_refused_transfer_syntax_is_decoded_without_loss_with_leave(name: str) -> None:
    content = local_path(name).read_bytes()
    sop_class_uid, syntax = context_of(content)
    with dcmtk.StoreScp(options=("+xe",)) as scp:
        with open_sender(scp.address, US, [(sop_class_uid, syntax)], may_decompress=True) as sender:
            assert sender.send(content) == 0
        (path,) = scp.files()
        assert compare(path.read_bytes(), content) in (Likeness.SAME_CONTENT, Likeness.SAME_BYTES)


def test_more_contexts_than_an_association_holds_are_refused(pacs: StrictPacs) -> None:
    too_many = [(f"1.2.3.{number}", CT_CONTEXT[1]) for number in range(129)]
    with pytest.raises(Invalid), open_sender(pacs.address, US, too_many):
        pytest.fail("nothing may be opened")


def test_no_answer_in_time_is_ambiguous(pacs: StrictPacs) -> None:
    pacs.answer_after_s = 30
    with pytest.raises(Ambiguous), open_sender(pacs.address, US, [CT_CONTEXT], QUICK) as sender:
        sender.send(CT)
    assert len(pacs.stored) == 1


def test_a_broken_association_is_ambiguous_and_then_transient() -> None:
    with dcmtk.StoreScp(options=("+xa", "--abort-after")) as scp:
        with pytest.raises(Ambiguous), open_sender(scp.address, US, [CT_CONTEXT], QUICK) as sender:
            sender.send(CT)
        with pytest.raises(Transient), open_sender(scp.address, US, [CT_CONTEXT], QUICK) as sender:
            with pytest.raises(Ambiguous):
                sender.send(CT)
            sender.send(CT)


def test_a_jpeg_is_not_sent(pacs: StrictPacs) -> None:
    with open_sender(pacs.address, US, [CT_CONTEXT]) as sender:
        with pytest.raises(Invalid):
            sender.send(generated.jpeg_pretending_to_be_dicom())
        assert sender.send(CT) == 0


def report_for(pacs: StrictPacs, pdf: bytes) -> bytes:
    (study,) = find_study(pacs.address, US, STUDY, before_send=unasked)
    document = PdfDocument(
        pdf, "Second opinion", datetime(2025, 11, 10, 9, 30, tzinfo=UTC), f"{STUDY}.9", f"{STUDY}.9.1"
    )
    return build_encapsulated_pdf(document, study)


def test_the_report_fits_into_the_study_as_the_archive_knows_it(pacs: StrictPacs) -> None:
    report = report_for(pacs, generated.pathology_pdf())
    with open_sender(pacs.address, US, [CONTEXT]) as sender:
        assert require_delivered(sender.send(report)) == ""
    assert [stored.Modality for stored in pacs.stored] == ["DOC"]


def test_dcmtk_takes_the_identical_pdf_out_of_the_report(pacs: StrictPacs, tmp_path: Path) -> None:
    for padding in (b"", b"\n"):
        pdf = generated.pathology_pdf() + padding
        (tmp_path / "report.dcm").write_bytes(report_for(pacs, pdf))
        command = (dcmtk.binary("dcm2pdf"), str(tmp_path / "report.dcm"), str(tmp_path / "report.pdf"))
        subprocess.run(command, check=True)
        assert (tmp_path / "report.pdf").read_bytes() == pdf


def test_a_diagnosis_of_a_working_node(pacs: StrictPacs) -> None:
    steps = diagnose(pacs.address, US)
    assert [(step.name, step.is_ok) for step in steps] == [
        ("name resolution", True),
        ("TCP", True),
        ("association", True),
        ("C-ECHO", True),
        ("services", True),
    ]
    assert steps[-1].detail == "accepts C-ECHO, CT images, MR images, Encapsulated PDF, study query"


def test_a_diagnosis_names_what_is_not_offered() -> None:
    with StrictPacs(refuse_pdf=True) as pacs:
        assert diagnose(pacs.address, US)[-1].detail.endswith("; not Encapsulated PDF")


@pytest.mark.parametrize(
    ("address", "step"),
    [(DicomAddress("X", "no-such-host.invalid", 104), "name resolution"), (unused_address(), "TCP")],
)
def test_a_diagnosis_stops_at_the_first_obstacle(address: DicomAddress, step: str) -> None:
    *before, last = diagnose(address, US, QUICK)
    assert all(one.is_ok for one in before)
    assert (last.name, last.is_ok) == (step, False)
    assert last.remedy


def test_a_diagnosis_of_a_rejection_says_the_remedy(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        last = diagnose(node.address, STRANGER)[-1]
    assert (last.name, last.is_ok) == ("association", False)
    assert "register 'STRANGER'" in last.remedy


def test_a_port_that_is_no_dicom_node_is_found_out() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        thread = Thread(target=_answer_like_a_web_server, args=(server,))
        thread.start()
        address = DicomAddress("WEB", LOOPBACK, server.getsockname()[1])
        last = diagnose(address, US, QUICK)[-1]
        thread.join()
    assert (last.name, last.is_ok) == ("association", False)
    assert last.remedy


def _answer_like_a_web_server(server: socket.socket) -> None:
    for _ in range(2):  # the TCP step and the association
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            if connection.recv(4096):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + pack(">L", 0))
