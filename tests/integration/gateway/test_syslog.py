"""Audit rows reach a real TLS collector: in order, each at least once, also across an outage."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.domain.errors import Permanent, Transient, Unanswered
from gateway.domain.work import Job, JobKind
from gateway.services import audit_export
from gateway.services.core import Core
from gateway.store import audit, audit_chain, audit_exports
from gateway.store.engine import Database
from gateway.store.tables import outbox
from tests.acceptance.kill_points import TO_SYSLOG, hooks
from tests.core import START, Clock, core_over
from tests.forked import kill_at
from tests.integration.certificates import Authority
from tests.peers.processes import wait_until
from tests.peers.syslog_collector import SyslogCollector
from workers.syslog import Patience, SyslogAddress, send_messages

_MESSAGE = re.compile(
    rb"<(?P<pri>[0-9]+)>1 (?P<at>[0-9T:.-]+Z) gateway\.example consilium - AuditEvent "
    rb'\[chain@32473 row="(?P<row>[0-9]+)" position="(?P<position>[0-9]+)" sha256="(?P<sha256>[0-9a-f]{64})"\] '
    rb"(?P<body>.+)"
)
_JOB = Job("j", JobKind.AUDIT_EXPORT, "gateway", None, 1, 0, START, "o")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def core(database: Database, tmp_path: Path, clock: Clock) -> Core:
    return core_over(database, tmp_path, clock)


def _sealed(core: Core, count: int, outcome: str = "success") -> None:
    with core.database.write("test") as connection:
        for _ in range(count):
            audit.record(connection, at=START, actor="Ayşe", action="case.show", outcome=outcome, subject="case/1")
        audit_chain.seal(connection, now=START)


def _export(core: Core, port: int, authority: Authority) -> None:
    """One run of the recurring job."""
    address = SyslogAddress("127.0.0.1", port, str(authority.file))
    send = partial(send_messages, address, patience=Patience(quiet_s=0.3, answer_s=3.0))
    audit_export.export_due(core, _JOB, send=send, host="gateway.example")


def _known(core: Core) -> audit_exports.Exported:
    with core.database.read() as connection:
        found = audit_exports.known(connection, "syslog")
    assert found is not None
    return found


def _due(core: Core) -> datetime:
    """When the recurring job comes again."""
    with core.database.read() as connection:
        query = select(outbox.c.next_try_at).where(outbox.c.kind == JobKind.AUDIT_EXPORT)
        due_at: datetime = connection.execute(query).scalar_one()
    return due_at


@contextmanager
def _s_server(authority: Authority, *, stdin: int) -> Iterator[tuple[int, Path]]:
    """A running `openssl s_server`: its port, and the file that it prints to."""
    certificate, key = authority.issue("s_server")
    printed = authority.folder / "s_server.out"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(certificate), "-key", str(key)]
    listens = f"0100007F:{port:04X} 00000000:0000 0A"  # proc_pid_net(5): a connection would be the server's first
    with printed.open("wb") as out, subprocess.Popen([*command, "-quiet"], stdin=stdin, stdout=out) as server:
        try:
            tcp = Path("/proc/net/tcp")
            wait_until(lambda: listens in tcp.read_text(), timeout_s=10, waiting_for="openssl s_server")
            yield port, printed
        finally:
            server.terminate()


def test_each_sealed_row_arrives_once_with_its_seal(core: Core, authority: Authority) -> None:
    with SyslogCollector(authority.server_context()) as collector:
        _sealed(core, 2)
        _export(core, collector.port, authority)
        _sealed(core, 1, outcome="denied")
        _export(core, collector.port, authority)
        _export(core, collector.port, authority)
    read = [_MESSAGE.fullmatch(message) for message in collector.messages]
    assert [(one["row"], one["position"], one["pri"]) for one in read if one] == [
        (b"1", b"1", b"85"),
        (b"2", b"2", b"85"),
        (b"3", b"3", b"84"),
    ]
    with core.database.read() as connection:
        head = audit_chain.head(connection, now=START)
    assert read[-1] is not None
    assert head is not None
    assert read[-1]["sha256"].decode() == head.sha256
    event = json.loads(read[-1]["body"])
    assert (event["resourceType"], event["outcome"], event["agent"][0]["altId"]) == ("AuditEvent", "8", "Ayşe")


def test_after_an_outage_it_goes_on_where_it_was(core: Core, authority: Authority) -> None:
    with SyslogCollector(authority.server_context()) as collector:
        _sealed(core, 1)
        _export(core, collector.port, authority)
    _sealed(core, 2)
    _export(core, collector.port, authority)
    away = _known(core)
    assert (away.position, away.failing_since) == (1, START)
    assert "not to be had" in away.last_error
    with SyslogCollector(authority.server_context()) as back:
        _export(core, back.port, authority)
    assert [b'row="2"' in back.messages[0], b'row="3"' in back.messages[1]] == [True, True]
    assert (_known(core).position, _known(core).failing_since) == (3, None)


def test_what_broke_off_is_sent_again(core: Core, authority: Authority) -> None:
    _sealed(core, 3)
    with SyslogCollector(authority.server_context()) as collector:
        collector.read_before_breaking_off = 1
        _export(core, collector.port, authority)
        assert _known(core).position == 0
        collector.read_before_breaking_off = None
        _export(core, collector.port, authority)
        assert len(collector.messages) == 3
    assert _known(core).position == 3


def test_what_nobody_confirms_is_sent_again(core: Core, authority: Authority) -> None:
    """Something on the way took the bytes and went: the collector may have none of them."""
    _sealed(core, 3)
    with SyslogCollector(authority.server_context()) as collector:
        collector.owes_its_end = True
        _export(core, collector.port, authority)
        assert (_known(core).position, collector.messages) == (0, [])
        assert "without close_notify" in _known(core).last_error
        collector.owes_its_end = False
        _export(core, collector.port, authority)
        assert len(collector.messages) == 3
    assert _known(core).position == 3


@pytest.mark.parametrize("count", [0, 1], ids=["before-reading", "in-the-middle"])
def test_what_came_after_the_collector_s_end_is_sent_again(core: Core, authority: Authority, count: int) -> None:
    """A close_notify that answers none of ours says nothing of the rows."""
    _sealed(core, 60)
    with SyslogCollector(authority.server_context()) as collector:
        collector.closes_after = count
        _export(core, collector.port, authority)
        assert (_known(core).position, collector.messages) == (0, [])
        assert "closed the connection before" in _known(core).last_error
        collector.closes_after = None
        _export(core, collector.port, authority)
        assert len(collector.messages) == 60
    assert (_known(core).position, _known(core).failing_since) == (60, None)


def test_what_is_never_answered_is_sent_again(core: Core, authority: Authority) -> None:
    _sealed(core, 2)
    with SyslogCollector(authority.server_context()) as collector:
        collector.never_closes = True
        _export(core, collector.port, authority)
        assert _known(core).position == 0
        assert "did not answer our close_notify" in _known(core).last_error
        collector.never_closes = False
        _export(core, collector.port, authority)
        assert len(collector.messages) == 2


def test_the_pause_grows_while_a_collector_confirms_nothing(core: Core, clock: Clock) -> None:
    """Else it got the same rows every half minute, for ever."""

    def send(messages: Sequence[bytes]) -> None:
        if not confirms:
            raise Unanswered(f"{len(messages)} were not confirmed")

    confirms = False
    _sealed(core, 1)
    pauses = []
    for _ in range(10):
        audit_export.export_due(core, _JOB, send=send, host="gateway.example")
        pauses.append((_due(core) - clock()) / timedelta(seconds=1))
        clock.time = _due(core)
    confirms = True
    audit_export.export_due(core, _JOB, send=send, host="gateway.example")
    assert pauses == [30, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert (_known(core).position, _due(core) - clock()) == (1, timedelta(seconds=30))


def test_a_collector_that_is_away_is_asked_every_half_minute(core: Core, clock: Clock, authority: Authority) -> None:
    """Nothing was sent, so nothing comes twice."""
    with SyslogCollector(authority.server_context()) as gone:
        pass
    _sealed(core, 1)
    _export(core, gone.port, authority)
    clock.forward(hours=5)
    _export(core, gone.port, authority)
    assert _due(core) - core.now() == timedelta(seconds=30)


def test_openssl_s_own_server_is_believed_only_where_it_read(core: Core, authority: Authority) -> None:
    """At the end of its input it closes each connection in order at once, and prints nothing of what came."""
    _sealed(core, 3)
    with _s_server(authority, stdin=subprocess.DEVNULL) as (port, printed):
        _export(core, port, authority)
    assert (_known(core).position, printed.read_bytes()) == (0, b"")
    assert "closed the connection before" in _known(core).last_error
    with _s_server(authority, stdin=subprocess.PIPE) as (port, printed):
        _export(core, port, authority)
        _export(core, port, authority)
    assert (_known(core).position, printed.read_bytes().count(b"chain@32473")) == (3, 3)


@pytest.mark.parametrize("hook", hooks(TO_SYSLOG))
def test_a_worker_that_is_killed_leaves_no_row_out(core: Core, authority: Authority, hook: str) -> None:
    _sealed(core, 2)
    with SyslogCollector(authority.server_context()) as collector:
        kill_at(hook, lambda: _export(core, collector.port, authority), database=core.database)
        _export(core, collector.port, authority)
        _export(core, collector.port, authority)
    rows = [int(read["row"]) for message in collector.messages if (read := _MESSAGE.fullmatch(message))]
    assert list(dict.fromkeys(rows)) == [1, 2]
    assert len(rows) <= 4
    assert _known(core).position == 2


def test_a_collector_that_is_not_trusted_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    with (
        SyslogCollector(stranger.server_context()) as collector,
        pytest.raises(Transient, match="is not trusted"),
    ):
        send_messages(SyslogAddress("127.0.0.1", collector.port, str(authority.file)), [b"x"])
    assert collector.messages == []


def test_files_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing.pem")
    with pytest.raises(Permanent, match="no certificate"):
        send_messages(SyslogAddress("127.0.0.1", 1, nothing), [b"x"])
    with pytest.raises(Permanent, match="no certificate"):
        send_messages(SyslogAddress("127.0.0.1", 1, "", nothing, nothing), [b"x"])
