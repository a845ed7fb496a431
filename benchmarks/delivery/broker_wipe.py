"""10,000 sendings are due, the broker is killed and comes back empty: the seconds until the next one is done.

They count from the moment the new broker lets clients in; once it is started again at once, once it stays away for half
a minute. All but 520 of the sendings are copies of those.
"""

import tempfile
import time
from pathlib import Path

from sqlalchemy import String, cast, func, insert, literal, select

from benchmarks.delivery import GROUP
from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeded import REPORTS, postgresql_copy
from benchmarks.delivery.seeding import release, sent
from benchmarks.delivery.station import WARM_UP, Station
from benchmarks.result import Result, within
from gateway.domain.work import JobKind
from gateway.store.engine import Database
from gateway.store.tables import delivery, outbox
from tests.peers.postgres import Postgres
from tests.peers.processes import wait_until
from tests.peers.rabbitmq import RabbitMQ

TIMES = 20
AWAY_S = (0, 30)
LIMIT_S = 10.0


def run(times: int = TIMES) -> list[Result]:
    """Two rounds on one worker, each wipes the broker once more; `times` as many sendings as were seeded."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server, RabbitMQ() as broker:
        folder, ehr = Path(name) / "data", FastEhr()
        url = postgresql_copy(server, "consilium", folder, [ehr.url])
        _multiply(Database(url), times)
        with ehr, Station(folder, database_url=url, CONSILIUM_BROKER_URL=broker.url) as station:
            station.send(WARM_UP)
            release(station.database)
            seconds = {away_s: _seconds_after_wipe(station, broker, away_s) for away_s in AWAY_S}
    what = f"{REPORTS * times} sendings flow again after a broker wipe"
    return [within(GROUP, f"{what}, away for {away_s} s, s", [found], LIMIT_S) for away_s, found in seconds.items()]


def _seconds_after_wipe(station: Station, broker: RabbitMQ, away_s: float) -> float:
    before = _sent(station)
    station.wait(lambda: _sent(station) > before, "the flow before the wipe", 60)
    broker.kill()
    broker.wipe()
    time.sleep(away_s)
    broker.start()
    begin, settled = time.monotonic(), _sent(station)
    wait_until(lambda: _sent(station) > settled, timeout_s=120, waiting_for="the flow after the wipe")
    return time.monotonic() - begin


def _sent(station: Station) -> int:
    with station.database.read() as connection:
        return sent(connection)


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
    database.dispose()
