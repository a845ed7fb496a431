"""The gateway's programs, forked from a process which has imported them all: many can be started and killed cheaply."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

from tests.peers.file_limits import NO_LIMIT, limit_files
from tests.peers.processes import ENVIRONMENT, PeerFailure, wait_until

_LOG_TAIL_CHARACTERS = 8_000
_PIECE_BYTES = 65_536
_context = multiprocessing.get_context("forkserver")
_AT_THEIR_START = ("gateway.app", "dicom_node.app", "workers.app", "tests.programs")
_AT_THEIR_FIRST_WORK = (
    "celery.apps.worker",
    "fhir.resources.R4B.composition",
    "fhir.resources.R4B.consent",
    "fhir.resources.R4B.diagnosticreport",
    "fhir.resources.R4B.documentreference",
    "fhir.resources.R4B.patient",
    "fhir.resources.R4B.servicerequest",
    "gateway.store.blobs_s3",
    "gunicorn.workers.gthread",
    "httpcore",
    "kombu.transport.pyamqp",
    "psycopg",
)
_context.set_forkserver_preload([*_AT_THEIR_START, *_AT_THEIR_FIRST_WORK])


class Program:
    """What `consilium NAME` runs, or `run`, in a process group of its own, with its output in `<folder>/<name>.log`.

    What it writes comes through a pipe, so that its log never has to fit into what `limit_files` leaves it.
    """

    def __init__(
        self, name: str, *, folder: Path, environment: Mapping[str, str], run: Callable[[], object] | None = None
    ) -> None:
        self.name = name
        self._run = run or partial(_command, name)
        self.log_path = folder / f"{name}.log"
        self._folder = folder
        self._environment = {**ENVIRONMENT, **environment}
        self._process: ForkServerProcess | None = None
        self._log: threading.Thread | None = None

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

    def begin(self) -> Self:
        """Start, and wait for nothing: it may end by itself at any moment."""
        written, output = _context.Pipe(duplex=False)
        arguments = (self._run, self._folder, output, self._environment)
        self._process = _context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        output.close()
        self._log = threading.Thread(target=_keep, args=[written, self.log_path], daemon=True)
        self._log.start()
        return self

    def start(self, *, is_ready: Callable[[], object], timeout_s: float = 60) -> Self:
        """Begin and come back when `is_ready()` is true. Raises PeerFailure with the log when that does not happen."""
        self.begin()
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
        if self._log is not None:
            self._log.join()

    def limit_files(self, size_bytes: int = NO_LIMIT) -> None:
        """As `file_limits.limit_files`, of this program and what it has started."""
        if self._process is not None and self._process.pid is not None:
            limit_files(self._process.pid, size_bytes)


def _keep(written: Connection, log_path: Path) -> None:
    with written, log_path.open("ab") as log:
        while piece := os.read(written.fileno(), _PIECE_BYTES):
            log.write(piece)
            log.flush()


def _run(run: Callable[[], object], folder: Path, output: Connection, environment: Mapping[str, str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.flush()
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    run()


def _command(name: str) -> None:
    from gateway.cli import main

    main([name], prog_name="consilium")
