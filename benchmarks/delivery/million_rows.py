"""Catalogue and outbox at a million rows, beside ten thousand: what every object, every sending and every list asks.

The rows are made by SQL: as many instances, jobs (all but a hundred of them done), deliveries and cases. Milliseconds,
the median of nine tries. `python -m benchmarks.delivery.million_rows` also prints how the database plans each query.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import CTE, Connection, Integer, String, Table, cast, event, insert, literal, select, text, update
from sqlalchemy.engine import Engine

from benchmarks.delivery import GROUP
from benchmarks.delivery.seeding import Seed, hold
from benchmarks.result import Result, compare
from dicom_node.header import read_file_header
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.ids import new_id
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole
from gateway.domain.work import QUEUES, JobKind
from gateway.services import listing
from gateway.services.core import Core
from gateway.services.intake import Arrival, receive
from gateway.store import doorbell, outbox, parties
from gateway.store.engine import Database
from gateway.store.tables import case, delivery, instance, study
from gateway.store.tables import outbox as jobs
from tests.core import core_over
from tests.peers.generated import ct_series, part10
from tests.peers.postgres import Postgres
from tests.peers.processes import LOOPBACK

ROWS, FEW, TRIES = 1_000_000, 10_000, 9
TARGET = 2.0
_REPORTS, _A_STUDY, _ON_A_PAGE = 100, 500, 101
_POLICY = DestinationPolicy()
Plans = dict[str, list[str]]


def run(rows: int = ROWS, few: int = FEW, plans: dict[str, Plans] | None = None) -> list[Result]:
    """SQLite and PostgreSQL, few rows and many; `plans` is filled with what each question is answered by."""
    results = []
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name, Postgres() as server:
        for engine in ("SQLite", "PostgreSQL"):
            found = {}
            for number in (few, rows):
                folder = Path(name) / f"{engine}{number}"
                url = f"sqlite:///{folder}/consilium.db" if engine == "SQLite" else server.create_database(folder.name)
                found[number], planned = _measured(url, folder, number)
                if plans is not None:
                    plans[f"{engine}, {number} rows"] = planned
            for what in found[rows]:
                question = f"{what} at {rows} rows, {engine}, ms"
                beside = f"at {few} rows"
                results.append(compare(GROUP, question, found[rows][what], found[few][what], beside, TARGET))
    return results


def _measured(url: str, folder: Path, rows: int) -> tuple[dict[str, list[float]], Plans]:
    folder.mkdir(exist_ok=True)
    database = Database(url)
    seed = Seed(database, folder)
    seed.add_clinic(f"http://{LOOPBACK}:9/fhir")
    seed.sign(2)
    hold(database)
    pacs = Endpoint("pacs", "pacs", "clinic-0", EndpointRole.PACS, dicom=DicomAddress("PACS", LOOPBACK, 104))
    with database.write("benchmark") as connection:
        parties.add_endpoint(connection, pacs, now=datetime.now(UTC))
        _fill(connection, rows)
    if not database.is_sqlite:  # autovacuum would get to it; SQLite plans without statistics, as it does in production
        with database.write("benchmark") as connection:
            connection.execute(text("ANALYZE"))
    core = core_over(database, folder, lambda: datetime.now(UTC))
    seconds, plans = {}, {}
    for what, ask in _questions(core, pacs, folder).items():
        ask()
        seconds[what] = [_milliseconds(ask) for _ in range(TRIES)]
        with _planned() as plans[what]:
            ask()
    database.dispose()
    return seconds, plans


def _questions(core: Core, pacs: Endpoint, folder: Path) -> dict[str, Callable[[], object]]:
    """What is asked, as the gateway asks it."""
    arrivals, claimed = _arrivals(pacs, folder), count(1)

    def due(now: datetime, expected: int) -> None:
        with core.database.read() as connection:
            room = dict.fromkeys(QUEUES.values(), 8)
            found = doorbell.due(connection, now, room=room, policy=_POLICY, ring_again_after=timedelta(0))
        if len(found) != expected:
            raise RuntimeError(f"{len(found)} jobs are due")

    def claim() -> None:
        with core.database.write("benchmark") as connection:
            job_id = f"job-{next(claimed)}"
            if not outbox.claim(connection, job_id, owner="me", now=core.now(), lease_s=60, policy=_POLICY):
                raise RuntimeError("the job was not to be had")

    return {
        "intake of an object": lambda: receive(core, next(arrivals)),
        "what is due, when nothing is": lambda: due(core.now() - timedelta(days=1), 0),
        "what is due": lambda: due(core.now(), 8),
        "a claim": claim,
        "case list": lambda: listing.case_lines(core, limit=_ON_A_PAGE),
        "delivery list": lambda: listing.delivery_lines(core, limit=_ON_A_PAGE),
    }


def _arrivals(pacs: Endpoint, folder: Path) -> Iterator[Arrival]:
    for ds in ct_series(slices=4 * TRIES):
        content = part10(ds)
        path = folder / f"{new_id()}.dcm"
        path.write_bytes(content)
        header, digest = read_file_header(content), hashlib.sha256(content).hexdigest()
        yield Arrival(path, header, digest, len(content), pacs, "association")


def _fill(connection: Connection, rows: int) -> None:
    """Copies of the seeded rows under numbered names; studies and instances are new."""
    one = {table: connection.execute(select(table).limit(1)).one() for table in (case, delivery)}
    number = _numbers(rows)
    name, now = cast(number, String), datetime.now(UTC)
    ago = {"created_at": now - timedelta(days=30)}
    _copy(connection, case, one[case], ago | {"id": "case-" + name, "pseudonym": "P" + name})
    names: dict[str, Any] = {"id": "delivery-" + name, "business_key": "key-" + name, "case_id": "case-" + name}
    _copy(connection, delivery, one[delivery], ago | names | {"state": "delivered", "changed_at": now})
    sending = connection.execute(select(jobs).where(jobs.c.kind == JobKind.DELIVERY_SEND).limit(1)).one()
    names = {"id": "job-" + name, "subject_id": "delivery-" + name, "case_id": "case-" + name, "endpoint_id": None}
    _copy(connection, jobs, sending, ago | names | {"state": "done", "settled_at": now, "next_try_at": now})
    few = [f"job-{each}" for each in range(1, _REPORTS + 1)]
    connection.execute(update(jobs).where(jobs.c.id.in_(few)).values(state="pending", settled_at=None))
    _studies(connection, rows, now)


def _studies(connection: Connection, rows: int, now: datetime) -> None:
    studies = _numbers(max(rows // _A_STUDY, 1))
    name = cast(studies, String)
    empty = ("patient_id", "issuer_of_patient_id", "sex", "accession_number", "study_description")
    values: dict[str, Any] = dict.fromkeys(empty, "")
    values |= {
        "clinic_id": "clinic-0",
        "endpoint_id": "pacs",
        "state": "matched",
        "patient_names": [],
        "study_description": "",
    }
    values |= {"first_received_at": now, "last_received_at": now}
    values |= {"id": "study-" + name, "study_instance_uid": "9." + name, "accession_pseudonym": "A" + name}
    _insert(connection, study, values)
    instances = _numbers(rows)
    name = cast(instances, String)
    values = {"study_id": "study-" + cast((instances - 1) % max(rows // _A_STUDY, 1) + 1, String)}
    values |= {"clinic_id": "clinic-0", "series_instance_uid": "9.1", "sop_class_uid": "9.2", "state": "stored"}
    values |= {"transfer_syntax_uid": "9.3", "modality": "CT", "size_bytes": 1, "received_at": now}
    values |= {"sop_instance_uid": "9.9." + name, "blob_sha256": "b" + name}
    _insert(connection, instance, values)


def _numbers(most: int) -> Any:
    """1 to `most`, as a column."""
    first: CTE = select(literal(1, Integer).label("number")).cte(f"numbers_{new_id()}", recursive=True)
    every = first.union_all(select(first.c.number + 1).where(first.c.number < most))
    return every.c.number


def _copy(connection: Connection, table: Table, row: Any, changed: dict[str, Any]) -> None:
    _insert(connection, table, dict(row._mapping) | changed)


def _insert(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    columns = [
        value if hasattr(value, "comparator") else literal(value, table.c[name].type) for name, value in values.items()
    ]
    connection.execute(insert(table).from_select(list(values), select(*columns)))


def _milliseconds(ask: Callable[[], object]) -> float:
    begin = time.perf_counter()
    ask()
    return 1000 * (time.perf_counter() - begin)


@contextmanager
def _planned() -> Iterator[list[str]]:
    """Fills the list with the plan of each SELECT and UPDATE that is executed meanwhile."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if many or not statement.startswith(("SELECT", "UPDATE", "WITH")):
            return
        prefix = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        cursor.execute(prefix + statement, parameters)
        lines = [str(row[-1]) for row in cursor.fetchall()]
        plans.append("\n      ".join([" ".join(statement.split())[:100], *lines]))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def main() -> None:
    """Measure, and show the plans."""
    plans: dict[str, Plans] = {}
    for result in run(plans=plans):
        print(result)
    for where, planned in plans.items():
        for what, statements in planned.items():
            print(f"{where}: {what}", *statements, sep="\n   ")


if __name__ == "__main__":
    main()
