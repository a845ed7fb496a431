"""DICOM over TLS: the node's second port, and the CAs that calling a node trusts."""

import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from config.settings import Settings, load_settings
from dicom_node.app import open_node
from dicom_node.scp import NodeMetrics, server_context
from dicom_node.scu import Timeouts, diagnose, echo
from gateway.disk_figures import DiskFigures
from gateway.domain.errors import Permanent, Transient
from gateway.domain.party import DicomAddress
from tests.integration.certificates import Authority
from tests.integration.dicom_node.clinic import core_with_clinic
from tests.integration.dicom_node.node import open_sender, running_node
from tests.peers import dcmtk, generated
from tests.peers.processes import LOOPBACK, free_port

US = "CONSILIUM"
QUICK = Timeouts(connect_s=2, association_s=2, response_s=2)
(IMAGE,) = generated.ct_series(slices=1, edge_pixels=512)
CT = generated.part10(IMAGE)
CT_CONTEXT = (str(IMAGE.SOPClassUID), str(IMAGE.file_meta.TransferSyntaxUID))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_an_endpoint_with_a_ca_of_its_own_is_called_over_tls(tmp_path: Path, authority: Authority) -> None:
    with running_node(tmp_path, tls=authority.server_context(days=10)) as node:
        address = node.secure_address(authority.file)
        echo(address, US)
        with open_sender(address, US, [CT_CONTEXT]) as sender:
            assert sender.send(CT) == 0
        steps = {step.name: step for step in diagnose(address, US)}
        assert "(10 days)" in steps["TLS certificate"].detail
        assert "renew its certificate soon" in steps["TLS certificate"].remedy
        assert steps["services"].is_ok


def test_a_certificate_of_an_unknown_ca_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    with running_node(tmp_path, tls=authority.server_context()) as node:
        address = node.secure_address()
        last = diagnose(address, US)[-1]
        assert (last.name, last.is_ok) == ("TLS certificate", False)
        assert "CA file" in last.remedy
        with pytest.raises(Transient, match="over TLS"):
            echo(address, US, QUICK)
        assert node.received == []


def test_a_ca_file_that_is_gone_is_permanent(tmp_path: Path, authority: Authority) -> None:
    with (
        running_node(tmp_path, tls=authority.server_context()) as node,
        pytest.raises(Permanent, match="cannot be read"),
    ):
        echo(node.secure_address(tmp_path / "gone.pem"), US)


@pytest.mark.parametrize("days", [-5, 5])
def test_a_certificate_that_does_not_hold_is_explained(tmp_path: Path, authority: Authority, days: int) -> None:
    elsewhere = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    context = authority.server_context(days=days, host=None if days < 0 else elsewhere)
    with running_node(tmp_path, tls=context) as node:
        last = diagnose(node.secure_address(authority.file), US)[-1]
    assert (last.name, last.is_ok) == ("TLS certificate", False)
    assert ("expired" if days < 0 else "mismatch") in last.detail
    assert last.remedy


def test_both_ports_take_objects_and_share_the_limit_of_a_peer(tmp_path: Path, authority: Authority) -> None:
    path = tmp_path / "ct.dcm"
    path.write_bytes(CT)
    with running_node(tmp_path, tls=authority.server_context(), max_associations_per_peer=1) as node:
        outcome = dcmtk.storescu(node.secure_address(), [path], options=["+tla", "+cf", str(authority.file)])
        assert outcome.is_success, outcome.output
        with open_sender(node.address, US, [CT_CONTEXT]) as sender:
            assert sender.send(CT) == 0
            with pytest.raises(Transient, match="as many associations"):
                echo(node.secure_address(authority.file), US)
        assert len(node.files) == 2


def test_the_tls_port_speaks_nothing_else(tmp_path: Path, authority: Authority) -> None:
    with running_node(tmp_path, tls=authority.server_context()) as node:
        plain = DicomAddress(node.address.ae_title, LOOPBACK, node.secure_address().port)
        assert not dcmtk.echoscu(plain).is_success
        assert dcmtk.echoscu(node.address).is_success


def test_a_caller_shows_a_certificate_where_it_is_asked_for_one(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("node")
    ours, our_key = authority.issue("caller")
    context = server_context(str(certificate), str(key), str(authority.file))
    with running_node(tmp_path, tls=context) as node:
        trusting = ["+cf", str(authority.file)]
        without = dcmtk.echoscu(node.secure_address(), options=["+tla", *trusting])
        assert not without.is_success
        shown = dcmtk.echoscu(node.secure_address(), options=["+tls", str(our_key), str(ours), *trusting])
        assert shown.is_success, shown.output


def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority) -> None:
    certificate, key = authority.issue("node")
    assert server_context(str(certificate), str(key)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used_are_named(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("node")
    _, other_key = authority.issue("other")
    for pair in ((certificate, other_key), (certificate, tmp_path / "gone.key"), (key, certificate)):
        with pytest.raises(Permanent, match=f"{pair[0]}.*cannot be used"):
            server_context(str(pair[0]), str(pair[1]))
    with pytest.raises(Permanent, match=f"{key} cannot be read or holds no PEM certificate"):
        server_context(str(certificate), str(key), str(key))


def test_the_settings_open_the_port(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(tmp_path, authority, monkeypatch)
    core = core_with_clinic(settings, "PACS")
    node = open_node(settings, core, NodeMetrics(DiskFigures(settings.data_dir, 0)))
    try:
        echo(DicomAddress(US, LOOPBACK, settings.dicom.port), "PACS")
        echo(DicomAddress(US, LOOPBACK, settings.dicom.tls_port, is_tls=True, ca_file=str(authority.file)), "PACS")
    finally:
        node.stop()
        core.database.dispose()


def _settings(folder: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Settings:
    certificate, key = authority.issue("node")
    values = {
        "HOST": LOOPBACK,
        "PORT": str(free_port()),
        "TLS_PORT": str(free_port()),
        "TLS_CERTIFICATE_FILE": str(certificate),
        "TLS_KEY_FILE": str(key),
    }
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CONSILIUM_DATA_DIR", str(folder / "data"))
    for name, value in values.items():
        monkeypatch.setenv(f"CONSILIUM_DICOM__{name}", value)
    return load_settings()
