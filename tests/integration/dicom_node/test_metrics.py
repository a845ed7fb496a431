"""What a node counts, over real associations, and how it is read."""

import socket
import urllib.request
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # pynetdicom makes the names at import

from dicom_node.scp import NodeMetrics, ReceivedInstance
from gateway.disk_figures import DiskFigures
from gateway.domain.errors import Full, Permanent
from gateway.process import serve_metrics
from tests.integration.dicom_node.node import AE_TITLE, STRANGER, running_node
from tests.peers import dcmtk
from tests.peers.generated import ct_series, part10
from tests.peers.processes import LOOPBACK, free_port, wait_until

DISK = DiskFigures(Path(), 1)


def test_objects_associations_and_refusals_are_counted(tmp_path: Path) -> None:
    metrics = NodeMetrics(DISK)
    value = metrics.registry.get_sample_value
    paths = []
    for number, ds in enumerate(ct_series(slices=2)):
        paths.append(tmp_path / f"{number}.sent")
        paths[-1].write_bytes(part10(ds))

    def refuse_the_second(instance: ReceivedInstance) -> None:
        assert value("consilium_dicom_associations_open") == 1
        if node.received:
            raise Full("no room")

    with running_node(tmp_path / "node", metrics=metrics) as node:
        node.before_return = refuse_the_second
        dcmtk.storescu(node.address, paths, calling="HOSPITAL")
        stranger = AE(ae_title=STRANGER)
        stranger.add_requested_context(Verification)
        assert not stranger.associate(LOOPBACK, node.address.port, ae_title=AE_TITLE).is_established
        wait_until(lambda: value("consilium_dicom_associations_open") == 0, timeout_s=10, waiting_for="the end")
    rejected = {"reason": "calling AE title not recognised"}
    assert value("consilium_dicom_objects_total", {"status": "0x0000"}) == 1
    assert value("consilium_dicom_objects_total", {"status": "0xA700"}) == 1
    assert value("consilium_dicom_stored_bytes_total") == node.received[0].size_bytes
    assert value("consilium_dicom_store_seconds_count") == 2
    assert value("consilium_dicom_associations_accepted_total") == 1
    assert value("consilium_dicom_associations_rejected_total", rejected) == 1


def test_the_figures_are_served_where_the_settings_say() -> None:
    metrics, port = NodeMetrics(DISK), free_port()
    metrics.rejected("too many connections")
    serve_metrics(LOOPBACK, port, metrics.registry)
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'consilium_dicom_associations_rejected_total{reason="too many connections"} 1.0' in text
    assert "python_info" not in text


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Permanent, match=f"metrics_port {port} on {LOOPBACK} cannot be had"):
            serve_metrics(LOOPBACK, port, NodeMetrics(DISK).registry)
