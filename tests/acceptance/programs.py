"""The gateway's programs, forked from a process which has imported them all: many can be started and killed cheaply."""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

from tests.peers.processes import PeerFailure, wait_until

_LOG_TAIL_CHARACTERS = 8_000
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["gateway.app", "dicom_node.app", "workers.app", "tests.acceptance.programs"])


class Program:
    """What `consilium NAME` runs, in a process group of its own, with its output in `<folder>/<name>.log`."""

    def __init__(self, name: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._process: ForkServerProcess | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """None before its start and while it runs; the negative number of a signal that ended it."""
        return self._process.exitcode if self._process else None

    def log(self) -> str:
        """Everything it wrote, over all its starts."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def start(self, *, is_ready: Callable[[], object], timeout_s: float = 60) -> Self:
        """Start and come back when `is_ready()` is true. Raises PeerFailure with the log when that does not happen."""
        arguments = (self.name, self._folder, self.log_path, self._environment)
        self._process = _context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        try:
            wait_until(
                lambda: not self.is_running or is_ready(), timeout_s=timeout_s, waiting_for=f"{self.name} to answer"
            )
            if not self.is_running:
                raise PeerFailure(f"{self.name} ended with exit code {self.exit_code}")
        except PeerFailure as failure:
            self.stop(timeout_s=0)
            raise PeerFailure(f"{failure}\n{self.log()[-_LOG_TAIL_CHARACTERS:]}") from failure
        return self

    def stop(self, *, timeout_s: float = 10) -> None:
        """SIGTERM to the leader; after `timeout_s`, and to what it leaves behind, SIGKILL."""
        if self._process is None or self._process.pid is None:
            return
        self._process.terminate()
        self._process.join(timeout_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()


def _run(name: str, folder: Path, log_path: Path, environment: Mapping[str, str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with log_path.open("ab") as log:
        sys.stdout.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    from gateway.cli import main

    main([name], prog_name="consilium")
