"""Private processes for the tests: a free port each, a log each, and nobody left behind."""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
ENVIRONMENT = dict(os.environ)
"""As this process began; while a command is tried in it, `os.environ` is another one for a moment."""

_PORTS_BELOW_THE_EPHEMERAL_RANGE = range(20_000, 32_000)
_POLL_S = 0.02
_LOG_TAIL_CHARACTERS = 8_000
_handed_out: set[int] = set()


class PeerFailure(Exception):
    """A peer did not start, did not answer or refused; the message carries the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback address on which nobody listens, never the same one twice in this process.

    Taken at random from below the kernel's ephemeral range, so that neither an outgoing connection nor a test
    process beside this one is likely to hold it before the peer does.
    """
    for _ in range(200):
        port = random.choice(_PORTS_BELOW_THE_EPHEMERAL_RANGE)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex((LOOPBACK, port)) == 0:
                continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise PeerFailure("no free port found")


def is_listening(port: int, host: str = LOOPBACK) -> bool:
    """Whether a TCP connection to the port is taken."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_until(condition: Callable[[], object], *, timeout_s: float, waiting_for: str) -> None:
    """Come back as soon as `condition()` is true; after `timeout_s` raise PeerFailure naming `waiting_for`.

    Looking takes a quarter of the time at most: what is waited for needs the same cores.
    """
    deadline = time.monotonic() + timeout_s
    looked_at = time.monotonic()
    while not condition():
        if time.monotonic() > deadline:
            raise PeerFailure(f"{waiting_for}: still waiting after {timeout_s:g} s")
        time.sleep(max(_POLL_S, 3 * (time.monotonic() - looked_at)))
        looked_at = time.monotonic()


class DataFolder:
    """The folder a peer keeps its data in: the one it was given, or a temporary one that `remove` deletes."""

    def __init__(self, given: Path | None = None) -> None:
        self._temporary = None if given else tempfile.TemporaryDirectory(prefix="consilium-peer-")
        self.path = given or Path(self._temporary.name if self._temporary else "")
        self.path.mkdir(parents=True, exist_ok=True)

    @property
    def is_temporary(self) -> bool:
        return self._temporary is not None

    def remove(self) -> None:
        if self._temporary:
            self._temporary.cleanup()


class Process:
    """One command in a process group of its own, with its output in `<folder>/<name>.log`.

    `stop` signals the leader only, so that it can end its children in order; what remains of the group is killed.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the leader, which is the id of its group too."""
        if self._running is None:
            raise PeerFailure(f"{self.name} was not started")
        return self._running.pid

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def log(self) -> str:
        """Everything the process wrote to stdout and stderr, over all its starts."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def begin(self) -> Self:
        """Start, and wait for nothing: it may end by itself at any moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._running = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
                start_new_session=True,
            )
        atexit.register(self.kill)
        return self

    def start(self, *, is_ready: Callable[[], object], timeout_s: float = 30) -> Self:
        """Begin and come back when `is_ready()` is true. Raises PeerFailure with the log when that does not happen."""
        self.begin()
        try:
            wait_until(
                lambda: not self.is_running or is_ready(), timeout_s=timeout_s, waiting_for=f"{self.name} to answer"
            )
            if not self.is_running:
                raise PeerFailure(f"{self.name} ended with exit code {self._running and self._running.returncode}")
        except PeerFailure as failure:
            self.kill()
            raise PeerFailure(f"{failure}\n{self.describe_log()}") from failure
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self, *, timeout_s: float = 10) -> int | None:
        """SIGTERM to the leader, SIGKILL to what is left of the group; gives the leader's exit code."""
        if self._running is None:
            return None
        if self.is_running:
            self._running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.wait(timeout_s)
        self.kill()
        return self._running.returncode

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        atexit.unregister(self.kill)
        if self._running is None:
            return
        if is_group_alive(self._running.pid):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()

    def describe_log(self) -> str:
        """The end of the log under a headline, for a failure message."""
        return f"--- {self.name}: {self.log_path}\n{self.log()[-_LOG_TAIL_CHARACTERS:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None:
            error.add_note(self.describe_log())


class Peer(ABC):
    """A program of somebody else's, as a context manager; what it wrote is added to an error inside the block."""

    process: Process

    @abstractmethod
    def _is_ready(self) -> bool:
        """Does it answer?"""

    @abstractmethod
    def close(self) -> None:
        """Stop, and remove the folder if it was a temporary one."""

    def start(self) -> Self:
        """Start, again with the data of before, and wait until it answers."""
        self.process.start(is_ready=self._is_ready)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.process.describe_log())
        self.close()


def is_group_alive(group_id: int) -> bool:
    """Whether any process of the group still runs (zombies that were not waited for count)."""
    try:
        os.killpg(group_id, 0)
    except ProcessLookupError:
        return False
    return True
