"""A million audit rows: sealed, verified, and asked who saw what of one patient.

The command is the whole program, with its start; beside it the query alone, in a program that runs. SQLite, and the
same trail in PostgreSQL.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.audit import GROUP, building
from benchmarks.audit.rows import BEGINNING, BUSY, clinic_id, patient_id
from benchmarks.result import Result, compare, within
from gateway.domain.audit_record import AuditRecord
from gateway.store import audit, audit_chain, audit_search
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from tests.peers.postgres import Postgres

ROWS, TRIES, SEALED_LATER = 1_000_000, 5, 20_000
"""The sealer's work is measured at the end of the chain; the chain before it is the same one."""
ANSWER_S = 1.0
"""The promise: who saw what of one patient, within a second, with the start of the program."""
SEALED_PER_S, VERIFIED_PER_S = 5_000.0, 20_000.0
"""Rows a second; below these the relay would fall behind a busy day, and a walk over a million rows take a minute."""
_AT_ONCE, _PAGE, _SHOWN, _ALL = 1_000, 50, 100, 100_000


@dataclass(frozen=True)
class _Place:
    """A gateway's folder and the database that its settings name."""

    name: str
    folder: Path
    database: Database

    @property
    def settings(self) -> dict[str, str]:
        """As variables of the environment."""
        url = self.database.url.render_as_string(hide_password=False)
        key_file = self.folder / "pseudonym.key"
        if not key_file.exists():
            key_file.touch(mode=0o600)
            key_file.write_bytes(os.urandom(32))
        settings = {"CONSILIUM_DATA_DIR": str(self.folder), "CONSILIUM_DATABASE_URL": url}
        return settings | {"CONSILIUM_PSEUDONYM__KEY_FILE": str(key_file)}


def run(rows: int = ROWS) -> list[Result]:
    """Each on each database."""
    with _place("SQLite") as first:
        building.fill(first.database, rows)
        _seal(first.database, rows - SEALED_LATER)
        results = _measured(first, rows)
        with Postgres(shared_buffers="128MB", fsync="on") as server, _place("PostgreSQL", server) as second:
            building.carry(first.database, second.database, rows=rows, sealed=rows - SEALED_LATER)
            return results + _measured(second, rows)


@contextmanager
def _place(name: str, server: Postgres | None = None) -> Iterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as folder:
        url = server.create_database("audit") if server else f"sqlite:///{folder}/consilium.db"
        database = Database(url)
        upgrade(database)
        try:
            yield _Place(name, Path(folder), database)
        finally:
            database.dispose()


def _measured(place: _Place, rows: int) -> list[Result]:
    return [_sealing(place), _verifying(place, rows), *_commands(place), *_queries(place)]


def _seal(database: Database, rows: int) -> None:
    """The next so many rows, a thousand in each transaction as the relay does it."""
    while rows > 0:
        with database.write("bench.seal") as connection:
            rows -= audit_chain.seal(connection, now=BEGINNING, limit=min(_AT_ONCE, rows))


def _sealing(place: _Place) -> Result:
    begin = time.perf_counter()
    _seal(place.database, SEALED_LATER)
    took_us = (time.perf_counter() - begin) / SEALED_LATER * 1e6
    return within(GROUP, f"{place.name}: sealing a row, us", [took_us], 1e6 / SEALED_PER_S)


def _verifying(place: _Place, rows: int) -> Result:
    begin = time.perf_counter()
    with place.database.read() as connection:
        found = audit_chain.verify(connection)
    if found.broken_at is not None or found.sealed != rows or found.unsealed:
        raise RuntimeError("the chain is not whole")
    took_us = (time.perf_counter() - begin) / rows * 1e6
    return within(GROUP, f"{place.name}: verifying a row, us", [took_us], 1e6 / VERIFIED_PER_S)


def _commands(place: _Place) -> list[Result]:
    """Each try asks of another patient; nothing is promised of one with 5,000 rows."""
    as_json = _taken_s(lambda patient: _ask(place, patient, "--json"), _some())
    as_table = _taken_s(lambda patient: _ask(place, patient), _some())
    of_busy = _taken_s(lambda patient: _ask(place, patient, "--json", f"--limit={_ALL}"), [BUSY] * TRIES)
    busy_table = _taken_s(lambda patient: _ask(place, patient, f"--limit={_ALL}"), [BUSY])
    return [
        within(GROUP, f"{place.name}: audit patient --json, the whole command, s", as_json, ANSWER_S),
        within(GROUP, f"{place.name}: audit patient, the whole command, s", as_table, ANSWER_S),
        _shown(f"{place.name}: audit patient --json of 5,000 rows, the whole command, s", of_busy),
        _shown(f"{place.name}: audit patient of 5,000 rows, the whole command, s", busy_table),
    ]


def _queries(place: _Place) -> list[Result]:
    """What a program that runs already waits for."""
    with place.database.read() as connection:
        audit.of_patient(connection, patient_id(BUSY), limit=1)  # its statements are compiled once
        rows = _taken_s(lambda patient: audit.of_patient(connection, patient_id(patient), limit=_SHOWN + 1), _some())
        of_busy = _taken_s(lambda patient: audit.of_patient(connection, patient_id(patient), limit=_ALL), [BUSY])
        _search(connection, BUSY)
        pages = _taken_s(lambda patient: _search(connection, patient), _some())
    return [
        within(GROUP, f"{place.name}: audit patient, its query alone, s", rows, ANSWER_S),
        _shown(f"{place.name}: audit patient of 5,000 rows, its query alone, s", of_busy),
        within(GROUP, f"{place.name}: AuditEvent?patient=, a page of {_PAGE}, its query, s", pages, ANSWER_S),
    ]


def _ask(place: _Place, patient: int, *options: str) -> None:
    command = [sys.executable, "-m", "gateway.cli", "audit", "patient", patient_id(patient), *options]
    subprocess.run(command, env=os.environ | place.settings, check=True, stdout=subprocess.DEVNULL)


def _search(connection: Connection, patient: int) -> list[AuditRecord]:
    wanted = audit_search.Wanted(patient_ids=(patient_id(patient),))
    return audit_search.visible(connection, clinic_id(patient), wanted, count=_PAGE + 1)


def _some() -> list[int]:
    return [17 + number for number in range(TRIES)]


def _taken_s(ask: Callable[[int], object], patients: Sequence[int]) -> list[float]:
    taken = []
    for patient in patients:
        begin = time.perf_counter()
        ask(patient)
        taken.append(time.perf_counter() - begin)
    return taken


def _shown(name: str, taken_s: list[float]) -> Result:
    return compare(GROUP, name, taken_s, [ANSWER_S], "a second", None)
