"""A storage node of ours in this process, with a receiver that keeps what it gets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from dicom_node import scu
from dicom_node.scp import CallerFinder, NodeMetrics, NodeSettings, ReceivedInstance, Refusal, RefusalKeeper, start_node
from gateway.disk_figures import DiskFigures
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole
from tests.peers.processes import LOOPBACK, wait_until

AE_TITLE = "CONSILIUM"
STRANGER = "STRANGER"

open_sender = partial(scu.open_sender, spool_folder=Path(gettempdir()))
"""For tests that do not care where an object lies while it is sent."""


class Node:
    """What a test needs to know of a running node. `before_return` runs inside `receive` and may raise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.received: list[ReceivedInstance] = []
        self.files: list[bytes] = []
        self.refusals: list[Refusal] = []
        self.keep_refusal: RefusalKeeper = self.refusals.append
        self.known: CallerFinder = lambda ae_title: None if ae_title == STRANGER else pacs(ae_title)
        self.before_return: Callable[[ReceivedInstance], None] = lambda instance: None
        self.address = DicomAddress(AE_TITLE, LOOPBACK, 0)
        self.tls_port: int | None = None

    def find_caller(self, ae_title: str) -> Endpoint | None:
        """Ask `known`, which a test may replace at any time."""
        return self.known(ae_title)

    def refused(self, refusal: Refusal) -> None:
        """Have `keep_refusal` keep it, which a test may replace at any time."""
        self.keep_refusal(refusal)

    def receive(self, instance: ReceivedInstance) -> None:
        """Keep the bytes and move the file away, as a blob store does."""
        self.before_return(instance)
        self.received.append(instance)
        self.files.append(instance.spool_path.read_bytes())
        instance.spool_path.rename(self.folder / f"{len(self.files)}.dcm")

    def secure_address(self, ca_file: Path | None = None) -> DicomAddress:
        """Its TLS port, for one who trusts that authority."""
        assert self.tls_port is not None
        return replace(self.address, port=self.tls_port, is_tls=True, ca_file=str(ca_file or ""))

    def leftovers(self) -> list[Path]:
        """Files in the spool."""
        return [path for path in self.spool.rglob("*") if path.suffix == ".dcm"]

    def wait_until_idle(self) -> None:
        """Until no connection is being served."""
        wait_until(lambda: not connection_threads(), timeout_s=20, waiting_for="the connections to end")


def pacs(ae_title: str) -> Endpoint:
    """A registered PACS that calls itself so."""
    return Endpoint("1", ae_title, "2", EndpointRole.PACS, dicom=DicomAddress(ae_title, LOOPBACK, 104))


def connection_threads() -> list[threading.Thread]:
    """Threads that serve a connection in this process."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("dicom-connection")]


def listener_threads() -> list[threading.Thread]:
    """Threads that accept connections in this process."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("dicom-listener")]


@contextmanager
def running_node(folder: Path, *, metrics: NodeMetrics | None = None, **settings: Any) -> Iterator[Node]:
    """A node on a free port; at the end it is stopped, and has to have left nothing behind."""
    node = Node(folder)
    defaults: dict[str, Any] = {
        "ae_title": AE_TITLE,
        "host": LOOPBACK,
        "port": 0,
        "spool_folder": node.spool,
        "reserve_bytes": 0,
    }
    running = start_node(
        NodeSettings(**(defaults | settings)),
        find_caller=node.find_caller,
        receive=node.receive,
        refused=node.refused,
        metrics=metrics or NodeMetrics(DiskFigures(folder, 0)),
    )
    node.address, node.tls_port = DicomAddress(AE_TITLE, LOOPBACK, running.port), running.tls_port
    try:
        yield node
    finally:
        running.stop()
        node.wait_until_idle()
        assert not node.leftovers()
