"""A million audit rows of 10,000 patients: sealed, verified, and asked by the command who saw what of one patient.

Sealing is per row, of thousand at a time as the relay does it. The command is the whole program, with its start, and
as a patient has a hundred rows it prints all of them. SQLite and PostgreSQL.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from benchmarks.audit import GROUP
from benchmarks.result import Result, within
from gateway.store import audit_chain
from gateway.store import numbers as numbers_after
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.store.tables import audit, audit_tail, party, resource
from tests.peers.postgres import Postgres

ROWS, PATIENTS, TRIES = 1_000_000, 10_000, 5
ANSWER_S = 1.0
"""The promise: who saw what of one patient, within a second, with the start of the program."""
SEALED_PER_S, VERIFIED_PER_S = 5_000.0, 20_000.0
"""Rows a second; below these the relay would fall behind a busy day, and a walk over a million rows take a minute."""
_AT_ONCE = 1_000
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Place:
    """A gateway's folder and the database that its settings name."""

    name: str
    folder: Path
    database: Database


def run(rows: int = ROWS) -> list[Result]:
    """Each of the three on each database."""
    results = []
    for place in _places():
        _fill(place.database, rows)
        results += [_sealing(place, rows), _verifying(place, rows), _asking(place)]
    return results


def _places() -> Iterator[_Place]:
    with tempfile.TemporaryDirectory(prefix="consilium-bench-") as name:
        folder = Path(name)
        with _opened(f"sqlite:///{folder / 'consilium.db'}") as database:
            yield _Place("SQLite", folder, database)
    with (
        tempfile.TemporaryDirectory(prefix="consilium-bench-") as name,
        Postgres() as server,
        _opened(server.create_database("audit")) as database,
    ):
        yield _Place("PostgreSQL", Path(name), database)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    upgrade(database)
    try:
        yield database
    finally:
        database.dispose()


def _fill(database: Database, rows: int) -> None:
    """Not through `audit.record`: a million transactions would take an hour."""
    with database.write("bench.fill") as connection:
        clinic = {"id": "clinic", "kind": "clinic", "name": "clinic", "country": "TR", "time_zone": "Europe/Istanbul"}
        connection.execute(insert(party).values(clinic | {"created_at": _BEGINNING}))
        of_clinic = {"party_id": "clinic", "type": "Patient", "version": 1, "updated_at": _BEGINNING}
        connection.execute(insert(resource), [of_clinic | {"id": _patient(one)} for one in range(PATIENTS)])
    for first in range(0, rows, 10 * _AT_ONCE):
        numbers = range(first + 1, min(first + 10 * _AT_ONCE, rows) + 1)
        with database.write("bench.fill") as connection:
            connection.execute(insert(audit), [_row(number) for number in numbers])
            connection.execute(insert(audit_tail), [{"audit_id": number} for number in numbers])
    with database.write("bench.fill") as connection:
        numbers_after.go_on(connection)


def _row(number: int) -> dict[str, object]:
    patient = _patient(number * 7919 % PATIENTS)
    row = {"id": number, "at": _BEGINNING + timedelta(seconds=number), "actor": "ehr", "action": "fhir.read"}
    row |= {"outcome": "success", "case_id": None, "patient_id": patient, "subject": f"Patient/{patient}/_history/1"}
    return row | {"details": {"party": "clinic", "address": "192.0.2.7"}}


def _patient(number: int) -> str:
    return f"patient{number:09}"


def _sealing(place: _Place, rows: int) -> Result:
    begin = time.perf_counter()
    sealed = 1
    while sealed:
        with place.database.write("bench.seal") as connection:
            sealed = audit_chain.seal(connection, now=_BEGINNING, limit=_AT_ONCE)
    took_us = (time.perf_counter() - begin) / rows * 1e6
    return within(GROUP, f"{place.name}: sealing a row, us", [took_us], 1e6 / SEALED_PER_S)


def _verifying(place: _Place, rows: int) -> Result:
    begin = time.perf_counter()
    with place.database.read() as connection:
        found = audit_chain.verify(connection)
    if found.broken_at is not None or found.sealed != rows:
        raise RuntimeError("the chain is not whole")
    took_us = (time.perf_counter() - begin) / rows * 1e6
    return within(GROUP, f"{place.name}: verifying a row, us", [took_us], 1e6 / VERIFIED_PER_S)


def _asking(place: _Place) -> Result:
    """Each try asks of another patient."""
    url = place.database.url.render_as_string(hide_password=False)
    key_file = place.folder / "pseudonym.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(os.urandom(32))
    settings = {"CONSILIUM_DATA_DIR": str(place.folder), "CONSILIUM_DATABASE_URL": url}
    settings |= {"CONSILIUM_PSEUDONYM__KEY_FILE": str(key_file)}
    took_s = []
    for number in range(TRIES):
        command = [sys.executable, "-m", "gateway.cli", "audit", "patient", _patient(number * 17), "--json"]
        begin = time.perf_counter()
        subprocess.run(command, env=os.environ | settings, check=True, stdout=subprocess.DEVNULL)
        took_s.append(time.perf_counter() - begin)
    return within(GROUP, f"{place.name}: audit patient, the whole command, s", took_s, ANSWER_S)
