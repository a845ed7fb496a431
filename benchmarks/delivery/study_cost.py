"""What each object of a study costs on its way to a reviewer: CPU, bytes written, rows, PostgreSQL's synced writes.

Studies of 100 small objects (64 x 64 pixels: CPU and rows are those of any study, bytes are more with larger ones),
received, matched, de-identified and delivered to a node. First everything on SQLite, then on PostgreSQL, which syncs as
in production, and RabbitMQ: what PostgreSQL used beside is what a third machine would carry. Its synced writes
are those of its log, as it counts them itself (pg_stat_wal); the last line is what this disk can do.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select, text

from benchmarks.delivery import GROUP
from benchmarks.delivery.processes import family_cpu_s, written_bytes
from benchmarks.delivery.signed_report import AS_INSTALLED
from benchmarks.result import Result, compare
from gateway.domain.delivery import DeliveryKind
from gateway.domain.party import DicomAddress
from gateway.store.tables import metadata
from tests.acceptance.gateway import PROGRAMS, Gateway
from tests.acceptance.scene import Scene
from tests.peers import dcmtk
from tests.peers.generated import AYSE
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK, Process
from tests.peers.rabbitmq import RabbitMQ

OBJECTS, STUDIES = 100, 2
_PATIENCE_S = 300
_SYNCS_TRIED = 300
_BESIDE = "PostgreSQL and RabbitMQ"
_ROWS = ("instance", "delivery_item", "audit", "audit_seal")
"""What there is of each object; the other tables have a few rows a study."""


@dataclass(frozen=True)
class _Stand:
    """A gateway, and the process ids of everything that is looked at, by name."""

    scene: Scene
    programs: dict[str, int]


def run(objects: int = OBJECTS, studies: int = STUDIES) -> list[Result]:
    """SQLite beside PostgreSQL and RabbitMQ."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, dcmtk.StoreScp("REVIEWER") as node:
        folder = Path(name)
        with _embedded(folder / "embedded", node) as stand:
            alone = _used(stand, folder / "files", objects, studies)
        with _distributed(folder / "distributed", node) as stand:
            beside = _used(stand, folder / "more", objects, studies)
        rate = _syncs_a_second(folder / "synced")
    figures = [
        compare(GROUP, f"a received and delivered object: {what}", [alone.get(what, 0.0)], [figure], _BESIDE, None)
        for what, figure in beside.items()
    ]
    return [*figures, compare(GROUP, "synced writes of 8 kB that this disk takes, 1/s", [rate], [rate], "itself", None)]


def _used(stand: _Stand, folder: Path, objects: int, studies: int) -> dict[str, float]:
    """What is used -> for each object."""
    _study(stand, folder / "warm", 0, objects)
    before = _figures(stand)
    for number in range(1, studies + 1):
        _study(stand, folder / str(number), number, objects)
    after = _figures(stand)
    return {what: (after[what] - before[what]) / (objects * studies) for what in after}


def _figures(stand: _Stand) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, process_id in stand.programs.items():
        found[f"CPU of {name}, ms"] = 1000 * family_cpu_s(process_id)
        found[f"written by {name}, kB"] = written_bytes(process_id) / 1000
    with stand.scene.database.read() as connection:
        for table in (metadata.tables[name] for name in _ROWS):
            found[f"rows of {table.name}"] = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if not stand.scene.database.is_sqlite:
            transactions = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            found["transactions of PostgreSQL, reading or writing"] = connection.execute(
                text(transactions)
            ).scalar_one()
            synced = "SELECT wal_sync FROM pg_stat_wal"  # https://www.postgresql.org/docs/15/monitoring-stats.html
            found["synced writes of PostgreSQL"] = connection.execute(text(synced)).scalar_one()
    return found


def _study(stand: _Stand, folder: Path, number: int, objects: int) -> None:
    scene, patient = stand.scene, replace(AYSE, patient_id=f"MRN-{number}")
    data = scene.case_data(patient=patient)
    order = scene.order(data, pdf=b"%PDF-1.7\n%%EOF\n")
    sent = scene.send_study(data, folder, patient=patient, slices=objects)
    if not sent.is_success:
        raise RuntimeError(sent.output[-2000:])
    scene.wait_for_delivery(order.case_id, DeliveryKind.STUDY_TO_REVIEWER, "delivered", timeout_s=_PATIENCE_S)


@contextmanager
def _embedded(folder: Path, node: dcmtk.StoreScp) -> Iterator[_Stand]:
    with Gateway(folder, by_command=True, **_settings()) as gateway:
        yield _stand(gateway, node, {})


@contextmanager
def _distributed(folder: Path, node: dcmtk.StoreScp) -> Iterator[_Stand]:
    with Postgres(fsync="on") as server, RabbitMQ() as broker:
        services = {
            "CONSILIUM_DATABASE_URL": server.create_database("consilium"),
            "CONSILIUM_BROKER_URL": broker.url,
        }
        with Gateway(folder, by_command=True, **_settings() | services) as gateway:
            yield _stand(gateway, node, {"PostgreSQL": server.process.pid, "RabbitMQ": broker.process.pid})


def _settings() -> dict[str, str]:
    return AS_INSTALLED | {"CONSILIUM_STUDY__QUIET_PERIOD_S": "1"}


def _stand(gateway: Gateway, node: dcmtk.StoreScp, services: dict[str, int]) -> _Stand:
    nobody = f"http://{LOOPBACK}:9/fhir"
    scene = Scene(gateway, pacs=DicomAddress("HOSPITAL", LOOPBACK, 104), ehr_url=nobody, node=node.address)
    programs = {name: program.pid for name in PROGRAMS if isinstance(program := gateway.programs[name], Process)}
    return _Stand(scene, programs | services)


def _syncs_a_second(path: Path) -> float:
    """Writes of a database page, each synced, one after another (fdatasync(2))."""
    page = bytes(8192)
    with path.open("wb", buffering=0) as file:
        begin = time.perf_counter()
        for _ in range(_SYNCS_TRIED):
            file.write(page)
            os.fdatasync(file.fileno())
        return _SYNCS_TRIED / (time.perf_counter() - begin)


if __name__ == "__main__":
    for result in run():
        print(result.name, result.ours, result.peer, sep=" | ")
