"""The cast around a gateway that is starting, the journey of its case, and what is left to look at."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.cast import Cast, demo_case, gather, prepare
from gateway.demo.gateway_process import Gateway
from gateway.demo.journey import travel
from gateway.demo.places import written
from gateway.demo.screen import Screen
from gateway.demo.stage import Stage


def perform(screen: Screen, gateway: Gateway, folder: Path, stack: ExitStack, started_at: float) -> None:
    """All of the journey; the cast stays until `stack` ends. Raises StepFailed."""
    cast = gather(folder, demo_case(datetime.now(UTC).date()))
    stack.callback(cast.leave)
    stage = _set(screen, gateway, cast)
    case_id = travel(stage)
    _finish(stage, case_id, time.monotonic() - started_at)


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
