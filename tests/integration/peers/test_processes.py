"""Private processes: started when they answer, told apart when they do not, and gone when they are stopped."""

import os
import sys
from pathlib import Path

import pytest

from tests.peers.processes import DataFolder, PeerFailure, Process, free_port, is_group_alive, is_listening, wait_until

_LISTEN = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), None).serve_forever()"
_WITH_A_DEAF_CHILD = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', '''
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("child-is-deaf").touch()
time.sleep(600)
'''])
time.sleep(600)
"""


def test_ports_are_free_and_never_given_out_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not any(is_listening(port) for port in ports)


def test_started_when_it_answers_and_gone_when_stopped(tmp_path: Path) -> None:
    port = free_port()
    process = Process("listener", (sys.executable, "-c", _LISTEN, str(port)), folder=tmp_path)
    with process.start(is_ready=lambda: is_listening(port)):
        group = process.pid
        assert process.is_running
    assert not process.is_running
    assert not is_group_alive(group)
    assert not is_listening(port)


def test_a_child_that_ignores_the_signal_does_not_stay(tmp_path: Path) -> None:
    process = Process("family", (sys.executable, "-c", _WITH_A_DEAF_CHILD), folder=tmp_path)
    process.start(is_ready=(tmp_path / "child-is-deaf").exists)
    group = process.pid
    process.stop()
    wait_until(lambda: not _running_members(group), timeout_s=5, waiting_for="the child to be gone")


def test_a_process_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    process = Process("short", (sys.executable, "-c", "print('no such port'); raise SystemExit(3)"), folder=tmp_path)
    with pytest.raises(PeerFailure, match=r"(?s)exit code 3.*no such port"):
        process.start(is_ready=lambda: False)


def test_a_process_that_never_answers_is_stopped_and_reported(tmp_path: Path) -> None:
    command = (sys.executable, "-uc", "print('thinking'); import time; time.sleep(600)")
    process = Process("silent", command, folder=tmp_path)
    with pytest.raises(PeerFailure, match=r"(?s)silent to answer.*thinking"):
        process.start(is_ready=lambda: False, timeout_s=1)
    assert not is_group_alive(process.pid)


def test_the_log_stands_in_the_note_of_a_failure(tmp_path: Path) -> None:
    port = free_port()
    process = Process(
        "listener", (sys.executable, "-c", "print('hello', flush=True);" + _LISTEN, str(port)), folder=tmp_path
    )
    with pytest.raises(ValueError, match="the test failed") as failure, process:
        process.start(is_ready=lambda: is_listening(port))
        raise ValueError("the test failed")
    assert "hello" in failure.value.__notes__[0]


def test_a_temporary_folder_is_removed_and_a_given_one_stays(tmp_path: Path) -> None:
    temporary, given = DataFolder(), DataFolder(tmp_path / "given")
    for folder in (temporary, given):
        (folder.path / "file").touch()
        folder.remove()
    assert not temporary.path.exists()
    assert (given.path / "file").exists()


def _running_members(group: int) -> list[int]:
    """Members of the process group that are not zombies waiting to be reaped by init."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, _, member_of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(member_of) == group and state != "Z" and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
