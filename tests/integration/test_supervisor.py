"""The supervisor with real child processes: restarts, orderly stop, and nothing left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.supervisor import pause_s

CHILD = """
import os, pathlib, signal, subprocess, sys, time
folder, name, mode = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
if mode == "broken":
    sys.exit(3)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
(folder / f"{name}.grandchild").write_text(str(grandchild.pid))
with (folder / f"{name}.pids").open("a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""

PARENT = """
import functools, os, pathlib, sys
import structlog
from gateway.supervisor import Program, Supervisor
structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
folder = pathlib.Path(sys.argv[1])
programs = []
for argument in sys.argv[2:]:
    name, mode = argument.split(":")
    command = [sys.executable, str(folder / "child.py"), str(folder), name, mode]
    run = functools.partial(os.execv, sys.executable, command)
    programs.append(Program(name, run, (folder / f"{name}.pids").exists))
supervisor = Supervisor(programs, on_ready=lambda: print("ready", flush=True), stop_within_s=1.5)
sys.exit(supervisor.run())
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "parent.py").write_text(textwrap.dedent(PARENT))
    processes: list[subprocess.Popen[str]] = []

    def start(*programs: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(tmp_path / "parent.py"), str(tmp_path), *programs]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment))
        return processes[-1]

    yield start
    for process in processes:
        process.terminate()  # not killed: the supervisor removes what its children forked
        process.communicate(timeout=10)


def until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def pids(folder: Path, name: str) -> list[int]:
    file = folder / f"{name}.pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def grandchild(folder: Path, name: str) -> int:
    return int((folder / f"{name}.grandchild").read_text())


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_a_dead_program_is_started_again_and_what_it_forked_is_gone(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("web:good", "worker:good")
    wait_ready(process)
    first, forked = pids(tmp_path, "web")[0], grandchild(tmp_path, "web")
    os.kill(first, signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "web")) == 2)
    until(lambda: is_gone(forked))
    assert pids(tmp_path, "worker") == pids(tmp_path, "worker")[:1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_and_ends_with_zero(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = started("web:good", "worker:good")
    wait_ready(process)
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert all(is_gone(pids(tmp_path, name)[0]) for name in ("web", "worker"))
    assert all(is_gone(grandchild(tmp_path, name)) for name in ("web", "worker"))


def test_a_program_that_does_not_stop_is_killed_with_what_it_forked(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("worker:stubborn")
    wait_ready(process)
    process.terminate()
    assert process.wait(timeout=10) == 0
    assert is_gone(pids(tmp_path, "worker")[0])
    assert is_gone(grandchild(tmp_path, "worker"))


def test_children_die_with_a_killed_supervisor(tmp_path: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    process = started("web:stubborn")
    wait_ready(process)
    process.kill()
    process.wait(timeout=10)
    until(lambda: is_gone(pids(tmp_path, "web")[0]))
    os.kill(grandchild(tmp_path, "web"), signal.SIGKILL)  # what a program forked is its own duty in this case


def test_a_program_that_cannot_start_ends_the_whole(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("web:good", "dicom-node:broken")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "dicom-node ended with status 3 while starting" in errors
    assert all(is_gone(pid) for pid in pids(tmp_path, "web"))


def test_pauses_grow_and_are_bounded() -> None:
    assert [pause_s(failures) for failures in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert pause_s(1000) == 30.0
