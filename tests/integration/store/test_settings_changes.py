"""A start with other settings leaves one row, however many processes start, and finds the last one by its index."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

from sqlalchemy import select

from gateway.services.settings_changes import record_changes
from gateway.store.engine import Database
from gateway.store.tables import audit
from tests.statements import executed

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = b"k" * 32


def test_of_many_processes_that_start_at_once_one_records_the_change(database: Database) -> None:
    for value in ("1", "2"):
        barrier = Barrier(4)

        def start(_number: int, barrier: Barrier = barrier, value: str = value) -> None:
            barrier.wait()
            with database.write("test.start") as connection:
                record_changes(connection, "web", {"web.port": value, "web.host": "x"}, KEY, now=NOW)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(start, range(4)))
    with database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "settings.changed").order_by(audit.c.id)).all()
    assert [row.details["changed"] for row in rows] == [[], ["web.port"]]


def test_the_last_row_is_found_by_index(database: Database) -> None:
    with executed() as statements, database.write("test.start") as connection:
        record_changes(connection, "web", {"web.port": "1"}, KEY, now=NOW)
        asked = next(one for one in statements if "FROM audit" in one.sql)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        if explain == "EXPLAIN":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it is not worth an index yet
        plan = [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {asked.sql}", asked.parameters)]
    assert [step for step in plan if "ix_audit_subject" in step], plan
