"""Keeps the gateway's programs running as child processes, for `consilium up`.

The children are forked, so that what the supervisor has imported is there at once and in memory once. Each is told to
stop alone (a signal to a whole group hangs a Celery worker that forked) and leads a process group of its own, so that
Ctrl-C reaches the supervisor only and nothing a child forked is left behind. When the supervisor itself is killed, the
kernel kills the children.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from types import FrameType

import structlog

STOP_WITHIN_S = 20.0
READY_WITHIN_S = 120.0
STEADY_AFTER_S = 60.0
_LOOK_EVERY_S = 0.1
_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_log = structlog.get_logger()
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Program:
    """One program to keep running. `run` is called in a child; what it returns with, or raises, ends the child.

    `is_ready` is asked until it is true once; it must not block for long.
    """

    name: str
    run: Callable[[], object]
    is_ready: Callable[[], bool]


def pause_s(failures: int) -> float:
    """How long to wait before the start after this many deaths in a row."""
    return min(_LONGEST_PAUSE_S, _SHORTEST_PAUSE_S * float(2 ** min(max(failures - 1, 0), 16)))


@dataclass
class _Child:
    program: Program
    process: ForkProcess | None = None
    is_ready: bool = False
    failures: int = 0
    started_at: float = 0.0
    start_again_at: float = field(default=0.0)

    def start(self) -> None:
        self.process = _fork.Process(target=_run, args=[self.program, os.getpid()], name=self.program.name)
        with _signals_held():
            self.process.start()
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(self.process.pid or 0, 0)  # the child does it as well: whichever comes first
        self.started_at = time.monotonic()

    def exit_status(self) -> int | None:
        """None while it runs; after its end everything in its group is gone."""
        return self.kill() if self.process is not None and _has_ended(self.process) else None

    def kill(self) -> int | None:
        """End it and everything in its group, at once; gives its exit status."""
        if self.process is None or self.process.pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # before it is reaped, while the group id is surely its own
        self.process.join()
        return self.process.exitcode


class Supervisor:
    """Starts the programs, starts a dead one again with growing pauses, and stops them all on SIGTERM or SIGINT."""

    def __init__(
        self, programs: Sequence[Program], *, on_ready: Callable[[], None], stop_within_s: float = STOP_WITHIN_S
    ) -> None:
        self._children = [_Child(program) for program in programs]
        self._on_ready = on_ready
        self._stop_within_s = stop_within_s
        self._stop_requests = 0
        self._wakeup = threading.Event()

    def run(self) -> int:
        """Until a signal asks to stop: 0. A program that ends or hangs before all were ready once: 1."""
        gc.freeze()  # what is loaded by now is shared with the children as long as nobody collects it
        with self._signals_handled():
            try:
                for child in self._children:
                    child.start()
                return 0 if self._come_up() and self._watch() else 1
            finally:
                self._stop()

    def _come_up(self) -> bool:
        deadline = time.monotonic() + READY_WITHIN_S
        while self._stop_requests == 0:
            for child in self._children:
                status = child.exit_status()
                if status is not None:
                    return _complain(f"{child.program.name} ended with status {status} while starting")
                child.is_ready = child.is_ready or child.program.is_ready()
            if all(child.is_ready for child in self._children):
                self._on_ready()
                return True
            if time.monotonic() > deadline:
                late = ", ".join(child.program.name for child in self._children if not child.is_ready)
                return _complain(f"not ready within {READY_WITHIN_S:.0f} s: {late}")
            self._wakeup.wait(_LOOK_EVERY_S)
        return True

    def _watch(self) -> bool:
        while self._stop_requests == 0:
            for child in self._children:
                _start_again_if_dead(child)
            self._wakeup.wait(_LOOK_EVERY_S)
        return True

    def _stop(self) -> None:
        running = [child for child in self._children if child.exit_status() is None]
        for child in running:
            if child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + self._stop_within_s
        requests_before = max(self._stop_requests, 1)
        while running and time.monotonic() < deadline and self._stop_requests <= requests_before:
            running = [child for child in running if child.process is not None and child.exit_status() is None]
            time.sleep(_LOOK_EVERY_S if running else 0)
        for child in running:
            _complain(f"{child.program.name} did not stop in time and is killed")
            child.kill()

    @contextlib.contextmanager
    def _signals_handled(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._request_stop) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requests += 1
        self._wakeup.set()


def _start_again_if_dead(child: _Child) -> None:
    now = time.monotonic()
    if child.process is None:
        if now >= child.start_again_at:
            child.start()
        return
    status = child.exit_status()
    if status is None:
        return
    child.failures = 1 if now - child.started_at > STEADY_AFTER_S else child.failures + 1
    child.start_again_at = now + pause_s(child.failures)
    child.process = None
    _complain(f"{child.program.name} ended with status {status}; starting it again in {pause_s(child.failures):g} s")


def _run(program: Program, supervisor_id: int) -> None:
    """In the child: a group, a name and signals of its own, and an end with the supervisor's."""
    os.setpgid(0, 0)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _LIBC.prctl(_PR_SET_NAME, program.name.encode())
    if os.getppid() != supervisor_id:  # it died before the kernel was told
        os._exit(1)
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    program.run()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """What is signalled meanwhile comes afterwards: a child that was just forked would take it for the supervisor's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


def _has_ended(process: ForkProcess) -> bool:
    try:
        return os.waitid(os.P_PID, process.pid or 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # reaped while another was started
        return True


def _complain(sentence: str) -> bool:
    _log.error(sentence)
    return False
