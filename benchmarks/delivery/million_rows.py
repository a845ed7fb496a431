"""Catalogue and outbox at a million rows, beside ten thousand: what every object, every sending and every list asks.

The rows are made by `filling`. Milliseconds, the fastest of nine tries; on SQLite also after ANALYZE, which the gateway
never runs and an administrator may. What counts or looks through whole tables (`/metrics`, once in five seconds at
most; closing, once an hour) has no limit. `python -m benchmarks.delivery.million_rows` also prints how the database
plans each query.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from benchmarks.delivery import GROUP
from benchmarks.delivery.filling import analyze, fill
from benchmarks.delivery.plans import planned
from benchmarks.delivery.seeding import Seed, hold
from benchmarks.result import Result, compare
from dicom_node.header import read_file_header
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole
from gateway.domain.work import QUEUES
from gateway.services import listing
from gateway.services.core import Core
from gateway.services.intake import Arrival, receive
from gateway.store import doorbell, figures, outbox, parties, retention
from gateway.store.engine import Database
from tests.core import core_over
from tests.peers.generated import ct_series, part10
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK

ROWS, FEW, TRIES = 1_000_000, 10_000, 9
TARGET = 2.0
SQLITE, SQLITE_ANALYZED, POSTGRESQL = "SQLite", "SQLite after ANALYZE", "PostgreSQL"
_WHOLE_TABLES = ("the figures of /metrics", "closing's look at the cases")
_ON_A_PAGE = 101
_POLICY = DestinationPolicy()
Milliseconds = dict[str, list[float]]
Plans = dict[str, list[str]]


@dataclass(frozen=True)
class _Filled:
    """A database with so many rows, and the parties that they belong to."""

    core: Core
    pacs: Endpoint
    folder: Path


def run(rows: int = ROWS, few: int = FEW, plans: dict[str, Plans] | None = None) -> list[Result]:
    """SQLite and PostgreSQL, few rows and many; `plans` is filled with what each question is answered by."""
    results = []
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server:
        for engine in (SQLITE, POSTGRESQL):
            found: dict[int, dict[str, Milliseconds]] = {}
            for number in (few, rows):
                folder = Path(name) / f"{engine}{number}"
                url = f"sqlite:///{folder}/consilium.db" if engine == SQLITE else server.create_database(folder.name)
                found[number] = _measured(_filled(url, folder, number), plans)
            for where, questions in found[rows].items():
                results += [_result(rows, few, where, what, found) for what in questions]
    return results


def _result(rows: int, few: int, where: str, what: str, found: dict[int, dict[str, Milliseconds]]) -> Result:
    ours, peer = found[rows][where][what], found[few][where][what]
    target = None if what in _WHOLE_TABLES else TARGET
    return compare(GROUP, f"{what} at {rows} rows, {where}, ms", ours, peer, f"at {few} rows", target)


def _filled(url: str, folder: Path, rows: int) -> _Filled:
    folder.mkdir(exist_ok=True)
    database = Database(url)
    seed = Seed(database, folder)
    seed.add_clinic(f"http://{LOOPBACK}:9/fhir")
    seed.sign(2)
    hold(database)
    pacs = Endpoint("pacs", "pacs", "clinic-0", EndpointRole.PACS, dicom=DicomAddress("PACS", LOOPBACK, 104))
    with database.write("benchmark") as connection:
        parties.add_endpoint(connection, pacs, now=datetime.now(UTC))
    fill(database, rows)
    return _Filled(core_over(database, folder, lambda: datetime.now(UTC)), pacs, folder)


def _measured(filled: _Filled, plans: dict[str, Plans] | None) -> dict[str, Milliseconds]:
    """Where -> question -> what each try took."""
    database = filled.core.database
    if not database.is_sqlite:
        analyze(database)
        found = {POSTGRESQL: _asked(filled, POSTGRESQL, plans)}
    else:
        found = {SQLITE: _asked(filled, SQLITE, plans)}
        analyze(database)
        database.dispose()  # a connection keeps the statistics that it began with
        found[SQLITE_ANALYZED] = _asked(filled, SQLITE_ANALYZED, plans)
    database.dispose()
    return found


def _asked(filled: _Filled, where: str, plans: dict[str, Plans] | None) -> Milliseconds:
    found = {}
    for what, ask in _questions(filled).items():
        ask()
        found[what] = [min(_milliseconds(ask) for _ in range(TRIES))]
        with planned() as plan:
            ask()
        if plans is not None:
            plans.setdefault(where, {})[what] = plan
    return found


def _questions(filled: _Filled) -> dict[str, Callable[[], object]]:
    """What is asked, as the gateway asks it."""
    core, arrivals, numbers = filled.core, _arrivals(filled), count(1)

    def due(now: datetime, expected: int) -> None:
        with core.database.read() as connection:
            room = dict.fromkeys(QUEUES.values(), 8)
            found = doorbell.due(connection, now, room=room, policy=_POLICY, ring_again_after=timedelta(0))
        if len(found) != expected:
            raise RuntimeError(f"{len(found)} jobs are due")

    def claim() -> None:
        with core.database.write("benchmark") as connection:
            while not outbox.claim(
                connection, f"job-{next(numbers)}", owner="me", now=core.now(), lease_s=600, policy=_POLICY
            ):
                pass  # claimed before by this same question

    def shown() -> None:
        with core.database.read() as connection:
            figures.backlog(connection, core.now())
            figures.census(connection)

    def closing() -> None:
        with core.database.read() as connection:
            retention.quiet_since(connection, core.now() - timedelta(days=30))

    return {
        "intake of an object": lambda: receive(core, next(arrivals)),
        "what is due, when nothing is": lambda: due(core.now() - timedelta(days=1), 0),
        "what is due": lambda: due(core.now(), 8),
        "a claim": claim,
        "case list": lambda: listing.case_lines(core, limit=_ON_A_PAGE),
        "delivery list": lambda: listing.delivery_lines(core, limit=_ON_A_PAGE),
        "the figures of /metrics": shown,
        "closing's look at the cases": closing,
    }


def _arrivals(filled: _Filled) -> Iterator[Arrival]:
    for ds in ct_series(slices=2 * TRIES):
        content = part10(ds)
        path = filled.folder / f"{new_id()}.dcm"
        path.write_bytes(content)
        header, digest = read_file_header(content), hashlib.sha256(content).hexdigest()
        yield Arrival(path, header, digest, len(content), filled.pacs, "association")


def _milliseconds(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    """Measure, and show the plans."""
    plans: dict[str, Plans] = {}
    for result in run(plans=plans):
        print(result)
    for where, answered in plans.items():
        for what, statements in answered.items():
            print(f"{where}: {what}", *statements, sep="\n   ")


if __name__ == "__main__":
    main()
