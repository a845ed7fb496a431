"""What one report costs in rows, and its delivery in statements, transactions, rows and bytes written; on SQLite.

`python -m benchmarks.delivery.cost` prints it. Rows that are changed or removed again are not counted.
"""

import os
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine

from benchmarks.delivery.ehr import FastEhr
from benchmarks.delivery.seeding import Seed, release
from benchmarks.delivery.station import make_key
from config.settings import load_settings
from gateway.domain.work import QUEUES, JobKind
from gateway.store.engine import Database
from gateway.store.tables import metadata
from workers.app import Worker

REPORTS = 10
_BEGINNINGS = {"BEGIN": "snapshots", "BEGIN IMMEDIATE": "transactions that write"}


class _AtOnce:
    """A dispatcher that does one job, here and now."""

    ring_again_after = timedelta(0)

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def room(self) -> dict[str, int]:
        return {QUEUES[JobKind.DELIVERY_SEND]: 1}

    def holding(self) -> frozenset[str]:
        return frozenset()

    def dispatch(self, _kind: JobKind, job_id: str) -> bool:
        return self._worker.do(job_id)


def main() -> None:
    """Figures for one report: what was counted, divided by how many there were."""
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, FastEhr() as ehr:
        folder = Path(name)
        os.environ["CONSILIUM_DATA_DIR"] = name
        database = Database(f"sqlite:///{folder}/consilium.db")
        seed = Seed(database, folder)
        seed.add_clinic(ehr.url)
        before = _rows(database)
        seed.sign(REPORTS)
        print("rows of an order with its report, rendered:", _each(_rows(database), before))
        make_key(folder / "keys" / "pseudonym.key")
        worker = Worker(load_settings())
        relay = worker.relay(_AtOnce(worker))
        relay.seal()  # what signing left
        release(database)
        before, written, asked = _rows(database), _bytes_written(), Counter[str]()
        with_count = _counting(asked)
        while relay.ring():
            relay.seal()
        event.remove(Engine, "before_cursor_execute", with_count)
        asked["bytes written"] = _bytes_written() - written
        print("its delivery:", _each(asked, Counter()), "rows:", _each(_rows(database), before))


def _counting(asked: Counter[str]) -> Any:
    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked[_BEGINNINGS.get(statement, "statements")] += 1

    event.listen(Engine, "before_cursor_execute", count)
    return count


def _rows(database: Database) -> Counter[str]:
    with database.read() as connection:
        tables = metadata.sorted_tables
        return Counter({t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in tables})


def _each(after: Counter[str], before: Counter[str]) -> dict[str, float]:
    return {name: (after[name] - before[name]) / REPORTS for name in after if after[name] != before[name]}


def _bytes_written() -> int:
    """What this process caused to be sent to the disk (`write_bytes` of proc(5), io)."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])


if __name__ == "__main__":
    main()
