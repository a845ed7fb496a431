"""Clients that are broken, slow or malicious: nothing is left behind and nobody else waits."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from struct import pack

import pytest
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import build_context

from dicom_node.scp import ReceivedInstance
from dicom_node.scp.pdu import data_pdus
from gateway.domain.party import DicomAddress
from tests.integration.certificates import Authority
from tests.integration.dicom_node.node import AE_TITLE, Node, connection_threads, listener_threads, running_node
from tests.peers import dcmtk, generated
from tests.peers.processes import wait_until
from tests.unit.dicom_node.encoded import UIDS, data_set
from tests.unit.dicom_node.scp.test_dialogue import STORE

CT, MR = UIDS[0x00080016], b"1.2.840.10008.5.1.4.1.1.4"
FAST_S = 2.0
DEADLINE_S = 10.0
FOUR_GIGABYTES = pack(">BxL", 4, 0xFFFFFFFF)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with running_node(tmp_path, association_timeout_s=1.0, pdu_timeout_s=1.0, idle_timeout_s=3.0) as running:
        yield running


def connect(address: DicomAddress) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=20)


def association_request(calling: str = "RAWCLIENT") -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = UID("1.2.840.10008.3.1.1.1")
    request.calling_ae_title, request.called_ae_title = calling, AE_TITLE
    context = build_context(CT, ["1.2.840.10008.1.2.1"])
    context.context_id = 1
    request.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = 16_384
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3")
    request.user_information = [length, implementation]
    return A_ASSOCIATE_RQ(request).encode()


def associated(node: Node) -> socket.socket:
    connection = connect(node.address)
    connection.sendall(association_request())
    assert received(connection)[0] == 2
    return connection


def received(connection: socket.socket) -> tuple[int, bytes]:
    header = exactly(connection, 6)
    return header[0], exactly(connection, int.from_bytes(header[2:6], "big"))


def exactly(connection: socket.socket, size_bytes: int) -> bytes:
    content = b""
    while len(content) < size_bytes:
        piece = connection.recv(size_bytes - len(content))
        assert piece, "the node closed the connection"
        content += piece
    return content


def fragment(content: bytes, *, is_last: bool) -> bytes:
    return pack(">BxLLBB", 4, len(content) + 6, len(content) + 2, 1, 2 if is_last else 0) + content


def status_of(answer: bytes) -> int:
    start = answer.index(bytes.fromhex("0000000902000000")) + 8
    return int.from_bytes(answer[start : start + 2], "little")


def store(node: Node, content: bytes) -> int:
    with associated(node) as connection:
        connection.sendall(data_pdus(1, STORE, 0) + fragment(content, is_last=True))
        kind, answer = received(connection)
        assert kind == 4
        return status_of(answer)


def seconds_for_an_echo(node: Node) -> float:
    begin = time.monotonic()
    assert dcmtk.echoscu(node.address).is_success
    return time.monotonic() - begin


def test_the_raw_client_can_store_what_is_whole(node: Node) -> None:
    matching = data_set(instance=(0x00080018, "UI", b"1.2.3"))
    assert store(node, matching) == 0x0000
    assert len(node.files) == 1


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (generated.jpeg_pretending_to_be_dicom(), 0xC000),
        (b"", 0xC000),
        (data_set(instance=(0x00080018, "UI", b"1.2.3"))[:-3], 0xC000),
        (data_set(instance=(0x00080018, "UI", b"9.9.9")), 0xA900),
        (
            data_set(kind=(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.4"), instance=(0x00080018, "UI", b"1.2.3")),
            0xA900,
        ),
        (data_set(study=(0x0020000D, "UI", b"x")), 0xC000),
    ],
    ids=["jpeg", "empty", "truncated", "other instance", "other class", "malformed uid"],
)
def test_what_is_no_whole_object_is_refused(node: Node, content: bytes, status: int) -> None:
    assert store(node, content) == status
    assert node.files == []
    assert node.leftovers() == []


def test_a_truncated_file_sent_by_dcmtk_is_refused(node: Node, tmp_path: Path) -> None:
    (image,) = generated.ct_series(slices=1)
    path = tmp_path / "cut.dcm"
    path.write_bytes(generated.truncated(generated.part10(image)))
    assert dcmtk.dcmsend(node.address, [path]).stored == 0
    assert node.files == []


@pytest.mark.parametrize("ending", ["cut", "a-abort", "four gigabytes", "rubbish", "silence"])
def test_an_end_in_the_middle_of_an_object_leaves_nothing(node: Node, ending: str) -> None:
    with associated(node) as connection:
        connection.sendall(data_pdus(1, STORE, 0) + fragment(bytes(100_000), is_last=False))
        wait_until(node.leftovers, timeout_s=5, waiting_for="the spool file")
        if ending == "a-abort":
            connection.sendall(bytes.fromhex("07000000000400000000"))
        elif ending == "four gigabytes":
            connection.sendall(FOUR_GIGABYTES)
        elif ending == "rubbish":
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        elif ending == "silence":
            wait_until(lambda: not node.leftovers(), timeout_s=10, waiting_for="the idle time-out")
    node.wait_until_idle()
    assert node.leftovers() == []
    assert node.received == []


def test_silent_clients_keep_nobody_waiting(node: Node) -> None:
    with ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(connect(node.address))
        assert seconds_for_an_echo(node) < FAST_S
    node.wait_until_idle()


def test_silent_clients_are_let_go_of(node: Node) -> None:
    with connect(node.address) as client:
        assert client.recv(1) == b""
    node.wait_until_idle()


def test_claims_of_four_gigabytes_keep_nobody_waiting(node: Node) -> None:
    with ExitStack() as clients:
        sockets = [clients.enter_context(connect(node.address)) for _ in range(20)]
        for client in sockets:
            client.sendall(FOUR_GIGABYTES)
        assert seconds_for_an_echo(node) < FAST_S
        for client in sockets:
            assert received(client)[0] == 7


def test_a_dripping_client_meets_its_deadline(node: Node) -> None:
    request = association_request()
    with connect(node.address) as client:
        begin = time.monotonic()
        try:
            for byte in request:
                client.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass  # the node hung up, as it should
        assert time.monotonic() - begin < len(request) * 0.05
    node.wait_until_idle()


def test_clients_beyond_the_limit_of_one_host_are_turned_away(tmp_path: Path) -> None:
    with running_node(tmp_path, max_associations=2, max_unassociated_per_host=3) as node, ExitStack() as clients:
        sockets = [clients.enter_context(connect(node.address)) for _ in range(5)]
        wait_until(lambda: len(connection_threads()) == len(sockets), timeout_s=5, waiting_for="five connections")
        with connect(node.address) as sixth:
            assert sixth.recv(1) == b""


def test_a_peer_beyond_its_limit_is_rejected_and_others_are_not(tmp_path: Path) -> None:
    with running_node(tmp_path, max_associations_per_peer=2) as node, ExitStack() as clients:
        for _ in range(2):
            clients.enter_context(associated(node))
        with connect(node.address) as third:
            third.sendall(association_request())
            assert received(third) == (3, bytes([0, 2, 3, 2]))
        assert dcmtk.echoscu(node.address, calling="SOMEONEELSE").is_success


def test_an_association_request_that_cannot_be_decoded_is_aborted(node: Node) -> None:
    with connect(node.address) as client:
        client.sendall(pack(">BxL", 1, 200) + bytes(200))
        assert received(client)[0] == 7


def test_silent_tls_clients_keep_nobody_waiting(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with running_node(tmp_path, tls=authority.server_context(), association_timeout_s=2.0) as node:
        with ExitStack() as clients:
            for _ in range(20):
                clients.enter_context(connect(node.secure_address()))
            begin = time.monotonic()
            outcome = dcmtk.echoscu(node.secure_address(), options=["+tla", "+cf", str(authority.file)])
            assert outcome.is_success, outcome.output
            assert time.monotonic() - begin < FAST_S
        node.wait_until_idle()


def test_stopping_finishes_what_is_being_committed(tmp_path: Path) -> None:
    is_committing, may_go_on = threading.Event(), threading.Event()

    def commit(_instance: ReceivedInstance) -> None:
        is_committing.set()
        assert may_go_on.wait(DEADLINE_S)

    def let_go_on_once_nobody_is_let_in() -> None:
        wait_until(lambda: not listener_threads(), timeout_s=DEADLINE_S, waiting_for="the node to take no more")
        may_go_on.set()

    watching = threading.Thread(target=let_go_on_once_nobody_is_let_in)
    with running_node(tmp_path) as node, associated(node) as connection:
        node.before_return = commit
        matching = data_set(instance=(0x00080018, "UI", b"1.2.3"))
        connection.sendall(data_pdus(1, STORE, 0) + fragment(matching, is_last=True))
        assert is_committing.wait(DEADLINE_S)
        watching.start()
    watching.join(DEADLINE_S)
    assert len(node.files) == 1
