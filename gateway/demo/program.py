"""`consilium demo`: a gateway of its own, the hospital, the EHR and the reviewer around it, and one case's journey."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.gateway_process import Gateway
from gateway.demo.screen import Screen
from gateway.demo.waiting import StepFailed

DEFAULT_FOLDER = Path("consilium-demo")
_INTERRUPTED = 130


def run_demo(*, once: bool, data_dir: Path = DEFAULT_FOLDER) -> int:
    """Play the journey in a new folder below `data_dir`; gives the exit status.

    0: the report arrived (and, unless `once`, Ctrl-C ended the demo). 1: a step failed by its deadline, with the reason
    on the screen. 130: interrupted before the end. Everything that was started is stopped in any case.
    """
    started_at = time.monotonic()
    screen, folder = Screen(), _new_folder(data_dir)
    gateway = Gateway(folder / "gateway")
    try:
        with _terminable():
            _play(screen, folder, gateway, started_at, once=once)
    except StepFailed as exc:
        screen.failure(str(exc), gateway.log_tail())
        return 1
    except KeyboardInterrupt:
        screen.say("interrupted; everything is stopped")
        return _INTERRUPTED
    return 0


def _play(screen: Screen, folder: Path, gateway: Gateway, started_at: float, *, once: bool) -> None:
    with ExitStack() as stack:
        screen.title(f"Consilium demo in {folder}")
        stack.callback(gateway.stop)
        gateway.start()
        from gateway.demo.performance import perform  # takes seconds, in which the gateway starts

        perform(screen, gateway, folder, stack, started_at)
        if not once:
            screen.say("Everything stays up until Ctrl-C.")
            _stay_up()


def _stay_up() -> None:
    """Until Ctrl-C or SIGTERM: here that is the wished end."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _new_folder(data_dir: Path) -> Path:
    """Each run has a folder of its own, so that nothing of an earlier one is overwritten."""
    folder = data_dir.absolute() / f"{datetime.now(UTC):run-%Y%m%d-%H%M%S-%f}"
    folder.mkdir(parents=True)
    return folder


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does."""

    def _interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
