"""One seeded installation that all measurements of sendings begin with: seeded once, copied for each round.

520 signed and rendered reports of 20 clinics, 26 of each, and an EHR for each clinic. Nothing of it is multiplied: each
report is of an order, a patient and consents of its own.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text

from benchmarks.delivery.seeding import Seed
from gateway.domain.party import FhirAddress
from gateway.store import parties
from gateway.store.engine import Database
from gateway.store.schema import upgrade
from gateway.store.tables import audit, instance, metadata
from tests.peers.postgres import Postgres

CLINICS, REPORTS = 20, 520
EHRS = [f"clinic-{number}-0" for number in range(CLINICS)]
"""Ids of the endpoints."""

_NOWHERE = "http://127.0.0.1:9/fhir"


def sqlite_copy(folder: Path, ehr_urls: Sequence[str]) -> Path:
    """A data folder of its own; the n-th EHR is at the n-th URL, those that are left over at the last."""
    shutil.copytree(_seeded(), folder)
    database = Database(f"sqlite:///{folder}/consilium.db")
    _direct(database, ehr_urls)
    database.dispose()
    return folder


def postgresql_copy(server: Postgres, name: str, folder: Path, ehr_urls: Sequence[str]) -> str:
    """The same in a database of that server, gives its URL; `folder` gets the blobs."""
    shutil.copytree(_seeded() / "blobs", folder / "blobs")
    url = server.create_database(name)
    database, source = Database(url), Database(f"sqlite:///{_seeded()}/consilium.db")
    upgrade(database)
    with source.read() as old, database.write("benchmark") as new:
        _transfer(old, new)
    source.dispose()
    _direct(database, ehr_urls)
    database.dispose()
    return url


@cache
def _seeded() -> Path:
    """Made at the first use; removed when this process ends."""
    folder = Path(_folder().name)
    seed = Seed(Database(f"sqlite:///{folder}/consilium.db"), folder)
    for _ in range(CLINICS):
        seed.add_clinic(_NOWHERE)
    seed.sign(REPORTS)
    seed.database.dispose()
    return folder


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="consilium-bench-")


def _direct(database: Database, urls: Sequence[str]) -> None:
    with database.write("benchmark") as connection:
        for number, endpoint_id in enumerate(EHRS):
            address = FhirAddress(urls[min(number, len(urls) - 1)])
            there = parties.endpoint_by_id(connection, endpoint_id)
            parties.change_address(connection, replace(there, fhir=address))


def _transfer(old: Connection, new: Connection) -> None:
    for table in metadata.sorted_tables:
        new.execute(table.delete())
        if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
            new.execute(insert(table), rows)
    for table in (audit, instance):
        last = new.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        sequence = text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), :next, false)")
        new.execute(sequence, {"next": last + 1})
