"""CPU of relay and worker for each delivery of a rendered report, embedded and on the broker; beside plain Celery.

User and system time of the worker's process; PostgreSQL, RabbitMQ and the EHR are not counted. The plain task sends
one request for each report; the gateway finds the patient, creates, reads back, and asks once a minute what the EHR
offers. The same is measured with sendings, and plain tasks, that do nothing: what is left is relay, claim, lease,
dispatch and settlement.
"""

import base64
import json
import tempfile
from collections import defaultdict
from itertools import product
from pathlib import Path

from benchmarks.delivery import GROUP, plain_celery
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeded import postgresql_copy, sqlite_copy
from benchmarks.delivery.seeding import PDF
from benchmarks.delivery.station import WARM_UP, WORKER, Station, copied
from benchmarks.result import Result, compare, within
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ

REPORTS, ROUNDS = 200, 3
LIMIT_MS = 10.0
IDLE = ("benchmarks.delivery.idle_worker",)
_WHOLE, _OVERHEAD = "CPU a delivery, {}, ms", "CPU a delivery that does nothing, {}, ms"
_EMBEDDED, _DISTRIBUTED = "embedded", "on the broker"
_JUDGED = tuple(product((_WHOLE, _OVERHEAD), (_EMBEDDED, _DISTRIBUTED)))


def run(reports: int = REPORTS, rounds: int = ROUNDS) -> list[Result]:
    """Rounds of embedded, on the broker and plain, in turn; each with the whole work and with none."""
    ms: defaultdict[str, list[float]] = defaultdict(list)
    ehr = FastEhr()  # each `with` starts it on the same port, and without its memory
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server, RabbitMQ() as broker:
        folder = Path(name)
        sqlite_copy(folder / "embedded", [ehr.url])
        postgresql_copy(server, "seeded", folder / "distributed", [ehr.url])
        body = json.dumps({"presentedForm": [{"data": base64.b64encode(PDF).decode()}]})
        for number, (what, program) in product(range(rounds), ((_WHOLE, WORKER), (_OVERHEAD, IDLE))):
            run_name = f"{number}-{program[0]}"
            with ehr, Station(copied(folder / "embedded", folder / f"e{run_name}"), program=program) as station:
                ms[what.format(_EMBEDDED)].append(_ms_each(station, reports))
            url = server.create_database(run_name, template="seeded")
            data, settings = (
                copied(folder / "distributed", folder / f"d{run_name}"),
                {"CONSILIUM_BROKER_URL": broker.url},
            )
            with ehr, Station(data, database_url=url, program=program, **settings) as station:
                ms[what.format(_DISTRIBUTED)].append(_ms_each(station, reports))
        for number in range(rounds):
            with ehr:
                posting_s = plain_celery.posting_cpu_s(broker.url, ehr, body, reports, folder / f"p{number}")
            ms["posting"].append(1000 * posting_s)
            ms["idle"].append(1000 * plain_celery.idle_cpu_s(broker.url, reports, folder / f"i{number}"))
    whole, overhead = _WHOLE.format(_DISTRIBUTED), _OVERHEAD.format(_DISTRIBUTED)
    return [
        *(within(GROUP, what.format(where), ms[what.format(where)], LIMIT_MS) for what, where in _JUDGED),
        compare(GROUP, whole, ms[whole], ms["posting"], "plain Celery, one POST", None),
        compare(GROUP, overhead, ms[overhead], ms["idle"], "plain Celery, nothing", None),
    ]


def _ms_each(station: Station, reports: int) -> float:
    station.send(WARM_UP)
    before = station.cpu_s()
    station.send(reports)
    return 1000 * (station.cpu_s() - before) / reports
