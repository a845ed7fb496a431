"""The rows that the benchmark makes by SQL are rows that the gateway works with, and none of its indexes is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, inspect, select

from benchmarks.delivery.filling import PENDING, fill
from benchmarks.delivery.seeding import Seed
from gateway.domain.breaker import DestinationPolicy
from gateway.domain.party import DicomAddress, Endpoint, EndpointRole
from gateway.domain.work import QUEUES
from gateway.store import doorbell, parties
from gateway.store.engine import Database
from gateway.store.tables import case, delivery, instance, outbox

ROWS = 2000


def _indexes(database: Database) -> set[str]:
    with database.read() as connection:
        found = inspect(connection)
        return {str(index["name"]) for name in ("case", "delivery", "outbox") for index in found.get_indexes(name)}


def test_a_filled_database_has_its_rows_its_indexes_and_work_to_do(database: Database, tmp_path: Path) -> None:
    seed = Seed(database, tmp_path)
    seed.add_clinic("http://127.0.0.1:9/fhir")
    pacs = Endpoint("pacs", "pacs", "clinic-0", EndpointRole.PACS, dicom=DicomAddress("PACS", "127.0.0.1", 104))
    with database.write("test") as connection:
        parties.add_endpoint(connection, pacs, now=datetime.now(UTC))
    seed.sign(1)
    before = _indexes(database)
    fill(database, ROWS)
    assert _indexes(database) == before
    with database.read() as connection:
        for table in (case, delivery, instance, outbox):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() >= ROWS
        assert len(set(connection.scalars(select(case.c.created_at)))) > ROWS
        room = dict.fromkeys(QUEUES.values(), PENDING + 1)
        now, at_once = datetime.now(UTC), timedelta(0)
        found = doorbell.due(connection, now, room=room, policy=DestinationPolicy(), ring_again_after=at_once)
        due = select(outbox.c.endpoint_id).where(outbox.c.id.in_([job_id for job_id, _ in found]))
        destinations = set(connection.scalars(due))
    assert len(found) == PENDING
    assert len(destinations - {None}) == PENDING
