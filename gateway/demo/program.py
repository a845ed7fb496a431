"""`consilium demo`: a gateway of its own, the hospital, the EHR and the reviewer around it, and one case's journey."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.cast import Cast, demo_case, gather, prepare
from gateway.demo.gateway_process import Gateway
from gateway.demo.journey import travel
from gateway.demo.listening import written
from gateway.demo.screen import Screen
from gateway.demo.stage import Stage
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
        cast = gather(folder, demo_case(datetime.now(UTC).date()))
        stack.callback(cast.leave)
        stack.callback(gateway.stop)
        gateway.start()
        stage = _set(screen, gateway, cast)
        case_id = travel(stage)
        _finish(stage, case_id, time.monotonic() - started_at)
        if not once:
            screen.say("Everything stays up until Ctrl-C.")
            _stay_up()


def _set(screen: Screen, gateway: Gateway, cast: Cast) -> Stage:
    """The peers listen and their papers are made while the gateway starts."""
    cast.enter()
    papers = prepare(cast.case)
    gateway.wait_until_ready()
    screen.step("The gateway is up, and so are a PACS, an EHR and a reviewer's node to exchange with")
    screen.facts(
        {
            "gateway": f"FHIR {gateway.root_url}/fhir, DICOM {written(gateway.dicom)}",
            "hospital": f"FHIR {cast.ehr.base_url}, DICOM {written(cast.hospital.address)}",
            "reviewer": f"DICOM {written(cast.reviewer.address)}",
            "your terminal": f"export CONSILIUM_CONFIG={gateway.settings_file}",
        }
    )
    return Stage(screen, gateway, cast, papers)


def _finish(stage: Stage, case_id: str, took_s: float) -> None:
    gateway, folder = stage.gateway, stage.cast.folder
    stage.screen.step(f"Done in {took_s:.0f} s: the hospital's study has become a report in the clinic's EHR")
    stage.screen.facts(
        {
            "case": case_id,
            "hospital's archive": folder / "hospital",
            "reviewer's files": folder / "reviewer",
            "clinic's EHR": folder / "ehr",
            "gateway's data": gateway.folder / "data",
            "gateway's log": gateway.log_file,
            "gateway's URLs": f"{gateway.root_url}/fhir/metadata  {gateway.root_url}/readyz",
        }
    )


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
