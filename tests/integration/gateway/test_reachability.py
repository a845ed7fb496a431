"""Name, TCP and TLS on real sockets, with a CA and certificates made for the test."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.domain.errors import Permanent
from gateway.reachability import reach_host, tls_context
from tests.integration.certificates import Authority


@contextmanager
def listening(context: ssl.SSLContext | None, *, greeting: bytes = b"") -> Iterator[int]:
    """A server that shakes hands, says `greeting` and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    if context:
                        context.wrap_socket(connection, server_side=True).close()
                    elif greeting:
                        connection.sendall(greeting)
                        connection.recv(4096)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def test_a_trusted_certificate_shows_its_expiry(authority: Authority) -> None:
    with listening(authority.server_context(days=90)) as port:
        steps = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(authority.file))

    assert [step.name for step in steps] == ["name resolution", "TCP", "TLS certificate"]
    assert all(step.is_ok and not step.remedy for step in steps)
    assert "(90 days)" in steps[-1].detail


def test_a_certificate_that_ends_soon_passes_with_a_remedy(authority: Authority) -> None:
    with listening(authority.server_context(days=5)) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(authority.file))[-1]

    assert step.is_ok
    assert "renew" in step.remedy


def test_the_days_left_are_counted_from_the_given_moment(authority: Authority) -> None:
    later = datetime.now(UTC) + timedelta(days=80)
    with listening(authority.server_context(days=90)) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(authority.file), now=lambda: later)[-1]

    assert "(10 days)" in step.detail
    assert "renew" in step.remedy


def test_an_ended_certificate_fails(authority: Authority) -> None:
    with listening(authority.server_context(days=-10)) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(authority.file))[-1]

    assert not step.is_ok
    assert "expired" in step.detail
    assert "renew" in step.remedy


def test_an_unknown_ca_fails(authority: Authority) -> None:
    with listening(authority.server_context()) as port:
        step = reach_host("127.0.0.1", port, is_tls=True)[-1]

    assert not step.is_ok
    assert "CA file" in step.remedy


def test_another_name_in_the_certificate_fails(authority: Authority) -> None:
    with listening(authority.server_context(host=x509.DNSName("elsewhere.example"))) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(authority.file))[-1]

    assert not step.is_ok
    assert "host name" in step.remedy


@pytest.mark.parametrize("greeting", [b"220 mail ready\r\n", b""])
def test_a_port_without_tls_fails(greeting: bytes) -> None:
    with listening(None, greeting=greeting) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, timeout_s=2)[-1]

    assert (step.name, step.is_ok) == ("TLS certificate", False)
    assert "speaks TLS" in step.remedy


def test_a_port_where_nobody_listens_fails() -> None:
    with listening(None) as port:
        pass

    steps = reach_host("127.0.0.1", port, is_tls=False)

    assert [(step.name, step.is_ok) for step in steps] == [("name resolution", True), ("TCP", False)]
    assert "refuses" in steps[-1].detail


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 300, ""])
def test_a_name_without_an_address_fails(host: str) -> None:
    steps = reach_host(host, 104, is_tls=False, timeout_s=2)

    assert not steps[-1].is_ok
    assert steps[-1].remedy


def test_a_ca_file_that_changes_takes_effect(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    ca_file = tmp_path / "trusted.pem"
    with listening(authority.server_context()) as port:
        found = []
        for trusted in (authority, other, authority):
            ca_file.write_bytes(trusted.file.read_bytes())
            found.append(reach_host("127.0.0.1", port, is_tls=True, ca_file=str(ca_file))[-1].is_ok)

    assert found == [True, False, True]


def test_a_thread_reads_the_ca_files_once_and_shares_them_with_no_other(authority: Authority) -> None:
    ca_file = str(authority.file)
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(tls_context, ca_file).result(10)

    assert tls_context(ca_file) is tls_context(ca_file)
    assert tls_context(ca_file) is not elsewhere
    assert tls_context() is not tls_context(ca_file)


def test_a_ca_file_that_is_none_is_a_failed_step(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing", encoding="utf-8")
    with listening(authority.server_context()) as port:
        step = reach_host("127.0.0.1", port, is_tls=True, ca_file=str(tmp_path / "no.pem"))[-1]

    assert (step.name, step.is_ok) == ("TLS certificate", False)
    assert "no.pem" in step.detail
    with pytest.raises(Permanent, match=r"no\.pem"):
        tls_context(str(tmp_path / "no.pem"))
