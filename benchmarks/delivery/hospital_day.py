"""The day of a hospital replayed at speed: memory of each process at a quarter and at the end, and the seconds it took.

The day of a mid-size hospital is 120 studies of 500 objects (`DAY`, `make bench ONLY=hospital-day`, and
`make soak`); `make bench` replays a tenth of the studies. The objects are small, 64 x 64 pixels: rows, files and
messages are those of the day, bytes are not. Each study is of a patient of its own; it is ordered, sent, matched,
de-identified and delivered to a reviewer's node before it counts, so every process has done a quarter of its work
when it is first looked at.
"""

import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmarks.delivery import GROUP
from benchmarks.delivery.processes import resident_megabytes
from benchmarks.delivery.signed_report import AS_INSTALLED
from benchmarks.result import Result, compare, within
from gateway.domain.delivery import DeliveryKind
from gateway.domain.party import DicomAddress
from tests.acceptance.gateway import PROGRAMS, Gateway
from tests.acceptance.scene import Scene
from tests.peers import dcmtk
from tests.peers.generated import AYSE
from tests.peers.processes import LOOPBACK, Process

LIMIT_MEMORY = 1.1
_AT_ONCE = 4
"""Studies on their way through the gateway."""
_PATIENCE_S = 600


@dataclass(frozen=True)
class Day:
    """So many studies of so many objects each."""

    studies: int
    objects: int


DAY, TENTH = Day(120, 500), Day(12, 500)


def run(day: Day = TENTH) -> list[Result]:
    """One replay: memory that grows shows in one, and a whole day is long. Standard error hears of each study."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, dcmtk.StoreScp("REVIEWER") as node:
        folder = Path(name)
        settings = AS_INSTALLED | {"CONSILIUM_STUDY__QUIET_PERIOD_S": "1"}
        with Gateway(folder / "gateway", by_command=True, **settings) as gateway:
            nobody = f"http://{LOOPBACK}:9/fhir"
            scene = Scene(gateway, pacs=DicomAddress("HOSPITAL", LOOPBACK, 104), ehr_url=nobody, node=node.address)
            begin = time.monotonic()
            early, late = _replayed(scene, folder, day)
            seconds = time.monotonic() - begin
        _require(len(list(node.received.iterdir())), day.studies * day.objects)
    what = f"{day.studies} studies of {day.objects} small objects"
    memory = [
        compare(GROUP, f"{what}: {each}, MB", [late[each]], [early[each]], "at a quarter", LIMIT_MEMORY)
        for each in PROGRAMS
    ]
    return [*memory, within(GROUP, f"{what}, s", [seconds], 24 * 3600.0)]


def _replayed(scene: Scene, folder: Path, day: Day) -> tuple[dict[str, float], dict[str, float]]:
    """Memory at a quarter of the day and at its end, all that was sent until then delivered."""
    on_their_way: deque[str] = deque()
    early: dict[str, float] = {}
    screen = Console(stderr=True, highlight=False)
    for number in range(1, day.studies + 1):
        on_their_way.append(_send(scene, folder / f"{number}", number, day.objects))
        is_quarter = number == day.studies // 4
        while len(on_their_way) > (0 if is_quarter or number == day.studies else _AT_ONCE - 1):
            kind = DeliveryKind.STUDY_TO_REVIEWER
            scene.wait_for_delivery(on_their_way.popleft(), kind, "delivered", timeout_s=_PATIENCE_S)
        if is_quarter:
            early = _megabytes(scene.gateway)
        used = ", ".join(f"{name} {size:.0f} MB" for name, size in _megabytes(scene.gateway).items())
        screen.print(f"{number} of {day.studies} studies: {used}")
    return early, _megabytes(scene.gateway)


def _send(scene: Scene, folder: Path, number: int, objects: int) -> str:
    """One study of a new patient, with its order; gives the case's id."""
    patient = replace(AYSE, patient_id=f"MRN-{number}")
    data = scene.case_data(patient=patient)
    order = scene.order(data, pdf=b"%PDF-1.7\n%%EOF\n")
    sent = scene.send_study(data, folder, patient=patient, slices=objects)
    if not sent.is_success:
        raise RuntimeError(sent.output[-2000:])
    for path in folder.iterdir():
        path.unlink()
    return order.case_id


def _require(received: int, expected: int) -> None:
    if received != expected:
        raise RuntimeError(f"the reviewer's node has {received} objects instead of {expected}")


def _megabytes(gateway: Gateway) -> dict[str, float]:
    """Program -> memory of its process and of its children."""
    found = {}
    for name in PROGRAMS:
        program = gateway.programs[name]
        assert isinstance(program, Process)
        found[name] = resident_megabytes(program.pid)
    return found
