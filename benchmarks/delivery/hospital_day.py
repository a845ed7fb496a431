"""The day of a hospital replayed at speed: memory of each process at a quarter and at the end, objects a second.

The day of a mid-size hospital is 120 studies of 500 objects (`DAY`); `make bench` replays a tenth of the studies with
a tenth of the objects each (`python -m benchmarks.delivery.hospital_day` the whole). The objects are small, 64 x 64
pixels: rows, files and messages are those of the day, bytes are not. Each study is ordered, sent, matched,
de-identified and delivered to a reviewer's node before it counts.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.delivery import GROUP
from benchmarks.delivery.signed_report import AS_INSTALLED
from benchmarks.result import Result, compare, within
from gateway.domain.party import DicomAddress
from tests.acceptance.gateway import PROGRAMS, Gateway
from tests.acceptance.scene import Scene
from tests.peers import dcmtk
from tests.peers.processes import LOOPBACK, Process, wait_until

LIMIT_MEMORY = 1.1
_AT_ONCE = 4
"""Studies on their way through the gateway."""


@dataclass(frozen=True)
class Day:
    """So many studies of so many objects each."""

    studies: int
    objects: int


DAY, TENTH = Day(120, 500), Day(12, 50)


def run(day: Day = TENTH) -> list[Result]:
    """One replay: memory that grows shows in one, and a whole day is long."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, dcmtk.StoreScp("REVIEWER") as node:
        folder = Path(name)
        settings = AS_INSTALLED | {"CONSILIUM_STUDY__QUIET_PERIOD_S": "1"}
        with Gateway(folder / "gateway", by_command=True, **settings) as gateway:
            nobody = f"http://{LOOPBACK}:9/fhir"
            scene = Scene(gateway, pacs=DicomAddress("HOSPITAL", LOOPBACK, 104), ehr_url=nobody, node=node.address)
            begin = time.monotonic()
            early: dict[str, float] = {}
            for number in range(day.studies):
                _send(scene, folder / f"{number}", day.objects)
                _await(node, day.objects * (number + 1 - _AT_ONCE))
                if number + 1 == day.studies // 4:
                    _await(node, day.objects * (number + 1))
                    early = _megabytes(gateway)
            _await(node, day.objects * day.studies)
            seconds, late = time.monotonic() - begin, _megabytes(gateway)
    what = f"{day.studies} studies of {day.objects} small objects"
    memory = [
        compare(GROUP, f"{what}: {each}, MB", [late[each]], [early[each]], "at a quarter", LIMIT_MEMORY)
        for each in PROGRAMS
    ]
    return [*memory, within(GROUP, f"{what}, s", [seconds], 24 * 3600.0)]


def _send(scene: Scene, folder: Path, objects: int) -> None:
    data = scene.case_data()
    scene.order(data, pdf=b"%PDF-1.7\n%%EOF\n")
    sent = scene.send_study(data, folder, slices=objects)
    if not sent.is_success:
        raise RuntimeError(sent.output[-2000:])
    for path in folder.iterdir():
        path.unlink()


def _await(node: dcmtk.StoreScp, objects: int) -> None:
    wait_until(lambda: len(list(node.received.iterdir())) >= objects, timeout_s=600, waiting_for=f"{objects} objects")


def _megabytes(gateway: Gateway) -> dict[str, float]:
    """Program -> resident memory of its process and of its children (VmRSS of proc(5))."""
    found = {}
    for name in PROGRAMS:
        program = gateway.programs[name]
        assert isinstance(program, Process)
        found[name] = sum(map(_resident_kilobytes, _family(program.pid))) / 1024
    return found


def _family(process_id: int) -> list[int]:
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
    return [process_id, *(each for child in children for each in _family(int(child)))]


def _resident_kilobytes(process_id: int) -> int:
    lines = Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


if __name__ == "__main__":
    for result in run(DAY):
        print(result)
