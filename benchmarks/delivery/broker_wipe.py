"""10,000 sendings are due, the broker is killed and comes back empty: the seconds until the next one is done.

They count from the moment the new broker lets clients in. All but a hundred of the sendings are copies of those.
"""

import tempfile
import time
from pathlib import Path

from sqlalchemy import String, cast, func, insert, literal, select

from benchmarks.delivery import GROUP
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeding import Seed, release, sent
from benchmarks.delivery.station import WARM_UP, Station
from benchmarks.result import Result, within
from gateway.domain.work import JobKind
from gateway.store.engine import Database
from gateway.store.tables import delivery, outbox
from tests.peers.postgres import Postgres
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ

CLINICS, REPORTS, WAITING, ROUNDS = 20, 100, 10_000, 3
LIMIT_S = 10.0


def run(waiting: int = WAITING, reports: int = REPORTS, rounds: int = ROUNDS) -> list[Result]:
    """Rounds on one worker: each wipes the broker once more."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server, RabbitMQ() as broker:
        url = server.create_database("consilium")
        ehr = FastEhr()
        _seed(Database(url), Path(name), ehr.url, reports, waiting)
        with ehr, Station(Path(name), database_url=url, CONSILIUM_BROKER_URL=broker.url) as station:
            station.send(WARM_UP)
            release(station.database)
            seconds = [_seconds_after_wipe(station, broker) for _ in range(rounds)]
    return [within(GROUP, f"{waiting} sendings flow again after a broker wipe, s", seconds, LIMIT_S)]


def _seconds_after_wipe(station: Station, broker: RabbitMQ) -> float:
    before = _sent(station)
    station.wait(lambda: _sent(station) > before, "the flow before the wipe", 60)
    broker.kill()
    broker.wipe()
    broker.start()
    begin, settled = time.monotonic(), _sent(station)
    wait_until(lambda: _sent(station) > settled, timeout_s=120, waiting_for="the flow after the wipe")
    return time.monotonic() - begin


def _sent(station: Station) -> int:
    with station.database.read() as connection:
        return sent(connection)


def _seed(database: Database, folder: Path, url: str, reports: int, waiting: int) -> None:
    seed = Seed(database, folder)
    for _ in range(CLINICS):
        seed.add_clinic(url)
    seed.sign(reports)
    _multiply(database, waiting // reports)
    database.dispose()


def _multiply(database: Database, times: int) -> None:
    """Each sending and its delivery so often, the first of them included."""
    numbers = select(func.generate_series(2, times).label("number")).subquery()
    copy = cast(numbers.c.number, String) + literal("-")
    changed = {
        delivery: {"id": copy + delivery.c.id, "business_key": copy + delivery.c.business_key},
        outbox: {"id": copy + outbox.c.id, "subject_id": copy + outbox.c.subject_id},
    }
    with database.write("benchmark") as connection:
        for table, new in changed.items():
            columns = [new.get(column.name, column) for column in table.columns]
            copies = select(*columns).select_from(table.join(numbers, literal(value=True)))
            if table is outbox:
                copies = copies.where(outbox.c.kind == JobKind.DELIVERY_SEND)
            connection.execute(insert(table).from_select([column.name for column in table.columns], copies))
