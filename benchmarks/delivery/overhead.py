"""CPU of relay and worker for each delivery of a rendered report, embedded and on the broker; beside plain Celery.

User and system time of the worker's process; PostgreSQL, RabbitMQ and the EHR are not counted. The plain task sends
one request for each report; the gateway asks what the EHR offers, finds the patient, creates, and reads back.
"""

import base64
import json
import tempfile
from pathlib import Path

from benchmarks.delivery import GROUP, plain_celery
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeding import PDF, Seed
from benchmarks.delivery.station import WARM_UP, Station, copied
from benchmarks.result import Result, compare, within
from gateway.store.engine import Database
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ

REPORTS, ROUNDS, CLINICS = 300, 3, 5
LIMIT_MS = 10.0
_NAME = "CPU a delivery, {}, ms"


def run(reports: int = REPORTS, rounds: int = ROUNDS) -> list[Result]:
    """Rounds of embedded, on the broker and plain, in turn."""
    embedded, distributed, plain = [], [], []
    ehr = FastEhr()  # each `with` starts it on the same port, and without its memory
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server, RabbitMQ() as broker:
        folder = Path(name)
        _seed(Database(f"sqlite:///{folder}/embedded/consilium.db"), folder / "embedded", ehr.url, reports)
        _seed(Database(server.create_database("seeded")), folder / "distributed", ehr.url, reports)
        body = json.dumps({"presentedForm": [{"data": base64.b64encode(PDF).decode()}]})
        for number in range(rounds):
            with ehr, Station(copied(folder / "embedded", folder / f"e{number}")) as station:
                embedded.append(_ms_each(station, reports))
            url = server.create_database(f"run{number}", template="seeded")
            data = copied(folder / "distributed", folder / f"d{number}")
            with ehr, Station(data, database_url=url, CONSILIUM_BROKER_URL=broker.url) as station:
                distributed.append(_ms_each(station, reports))
            with ehr:
                plain.append(1000 * plain_celery.cpu_s_each(broker.url, ehr, body, reports, folder / f"p{number}"))
    return [
        within(GROUP, _NAME.format("embedded"), embedded, LIMIT_MS),
        within(GROUP, _NAME.format("on the broker"), distributed, LIMIT_MS),
        compare(GROUP, _NAME.format("on the broker"), distributed, plain, "plain Celery, one POST", None),
    ]


def _seed(database: Database, folder: Path, url: str, reports: int) -> None:
    seed = Seed(database, folder)
    for _ in range(CLINICS):
        seed.add_clinic(url)
    seed.sign(reports + WARM_UP)
    database.dispose()


def _ms_each(station: Station, reports: int) -> float:
    station.send(WARM_UP)
    before = station.cpu_s()
    station.send(reports)
    return 1000 * (station.cpu_s() - before) / reports
