"""Whoever is turned away is remembered: at once answered all the same, and of strangers nothing but where they are."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from config.settings import load_settings
from dicom_node.app import open_node
from dicom_node.scp import NodeMetrics, Refusal
from dicom_node.scu import echo
from gateway.disk_figures import DiskFigures
from gateway.domain.errors import Permanent, Transient
from gateway.domain.party import DicomAddress
from gateway.services.core import Core
from gateway.store.tables import audit
from tests.integration.certificates import Authority
from tests.integration.dicom_node.clinic import core_with_clinic
from tests.integration.dicom_node.node import STRANGER, Node, running_node
from tests.integration.dicom_node.test_hostile_clients import associated, connect
from tests.peers.processes import LOOPBACK, free_port, wait_until

US, PACS = "CONSILIUM", "PACS"


def wait_for(node: Node, *expected: Refusal) -> None:
    wait_until(lambda: node.refusals == list(expected), timeout_s=10, waiting_for=f"{expected}, not {node.refusals}")


def called(node: Node, ae_title: str) -> DicomAddress:
    return DicomAddress(ae_title, LOOPBACK, node.address.port)


def test_each_rejection_is_told_of_with_its_reason(tmp_path: Path) -> None:
    with running_node(tmp_path, max_associations=1) as node:
        with pytest.raises(Permanent, match="register"):
            echo(node.address, STRANGER)
        with pytest.raises(Permanent, match="correct the AE title"):
            echo(called(node, "WRONG"), PACS)
        with associated(node), pytest.raises(Transient, match="as many associations"):
            echo(node.address, PACS)
        wait_for(
            node,
            Refusal("calling-ae-title", LOOPBACK, STRANGER),
            Refusal("called-ae-title", LOOPBACK, PACS),
            Refusal("association-limit", LOOPBACK, PACS),
        )


def test_who_is_let_in_is_not_told_of(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        echo(node.address, PACS)
    assert node.refusals == []


def test_too_many_connections_are_told_of(tmp_path: Path) -> None:
    with running_node(tmp_path, max_associations=1, max_unassociated_per_host=1) as node:
        held = [connect(node.address) for _ in range(3)]
        wait_for(node, Refusal("connection-limit", LOOPBACK))
        for connection in held:
            connection.close()


def test_a_tls_handshake_that_fails_is_told_of_and_a_look_at_the_port_is_not(tmp_path: Path) -> None:
    with running_node(tmp_path, tls=Authority(tmp_path).server_context()) as node:
        connect(node.secure_address()).close()
        node.wait_until_idle()
        with connect(node.secure_address()) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wait_for(node, Refusal("tls-handshake", LOOPBACK))


def test_a_keeper_that_fails_or_hangs_delays_no_answer(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def fail(refusal: Refusal) -> None:
        raise OSError(refusal.calling_ae_title)

    def hang(refusal: Refusal) -> None:
        entered.set()
        assert go_on.wait(20)
        node.refusals.append(refusal)

    with running_node(tmp_path, max_associations=1, max_unassociated_per_host=1) as node:
        node.keep_refusal = fail
        with structlog.testing.capture_logs() as lines:
            with pytest.raises(Permanent, match="register"):
                echo(node.address, STRANGER)
            wait_until(lambda: "refusal_keeper_failed" in str(lines), timeout_s=10, waiting_for="the failure")
        assert STRANGER not in str([line for line in lines if line["event"] == "refusal_keeper_failed"])
        node.wait_until_idle()
        node.keep_refusal = hang
        for _ in range(2):
            with pytest.raises(Permanent, match="register"):
                echo(node.address, STRANGER)
            node.wait_until_idle()  # what is still open counts among the connections
        assert entered.wait(10)
        held = [connect(node.address) for _ in range(3)]
        wait_until(lambda: _is_closed(held[-1]), timeout_s=10, waiting_for="the one too many to be closed")
        for connection in held:
            connection.close()
        node.wait_until_idle()
        echo(node.address, PACS)
        go_on.set()
    stranger = Refusal("calling-ae-title", LOOPBACK, STRANGER)
    assert node.refusals == [stranger, stranger, Refusal("connection-limit", LOOPBACK)]


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(1)
    return connection.recv(1) == b""


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Core:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CONSILIUM_DICOM__HOST", LOOPBACK)
    monkeypatch.setenv("CONSILIUM_DICOM__PORT", str(free_port()))
    return core_with_clinic(load_settings(), PACS)


def rows(core: Core) -> list[Any]:
    with core.database.read() as connection:
        return list(connection.execute(select(audit).where(audit.c.action == "dicom.denied").order_by(audit.c.id)))


def test_the_trail_names_the_endpoint_that_is_registered_and_no_stranger(core: Core) -> None:
    settings = load_settings()
    node = open_node(settings, core, NodeMetrics(DiskFigures(settings.data_dir, 0)))
    try:
        address = DicomAddress(US, LOOPBACK, settings.dicom.port)
        with pytest.raises(Permanent):
            echo(address, "OZTURK^AYSE")
        with pytest.raises(Permanent):
            echo(DicomAddress("WRONG", LOOPBACK, settings.dicom.port), PACS)
        wait_until(lambda: len(rows(core)) == 2, timeout_s=10, waiting_for="the rows")
        echo(address, PACS)
    finally:
        node.stop()
    stranger, known = rows(core)
    assert (stranger.actor, stranger.outcome, stranger.subject) == ("dicom-node", "denied", "association")
    assert stranger.details == {"reason": "calling-ae-title", "address": LOOPBACK}
    with core.database.read() as connection:
        added = select(audit.c.subject).where(audit.c.action == "endpoint.add")
        [endpoint] = connection.execute(added).scalars().all()
    assert (known.subject, known.details) == (endpoint, {"reason": "called-ae-title", "address": LOOPBACK})
    core.database.dispose()
