"""A million rows made by SQL: cases, each with a delivery and its job that is done, and studies with their instances.

The cases, deliveries and jobs are copies of a seeded one under numbered names. Of the cases one in a thousand is still
open; of the jobs the first `PENDING` wait for a worker, each for a destination of its own, whose turn a claim takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Integer,
    String,
    Table,
    cast,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    update,
)

from gateway.domain.ids import new_id
from gateway.domain.work import JobKind, JobState
from gateway.store.engine import Database
from gateway.store.tables import case, delivery, endpoint, instance, study
from gateway.store.tables import outbox as jobs

PENDING = 100
_A_STUDY, _ONE_OPEN_IN = 500, 1000
_ALONE = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000")
"""https://sqlite.org/pragma.html; the next connection of a Database takes all of it back."""
_FILLED = (case, delivery, jobs, study, instance)


def fill(database: Database, rows: int) -> None:
    """So many of each; the secondary indexes are taken away meanwhile and made anew, which is several times faster."""
    with _loading(database) as connection:
        for index in _indexes():
            index.drop(connection)
        _cases(connection, rows)
        _studies(connection, rows)
        for index in _indexes():
            index.create(connection)


def analyze(database: Database) -> None:
    """Have the database look at what it holds, which autovacuum of PostgreSQL would get to by itself."""
    with database.write("benchmark") as connection:
        connection.execute(text("ANALYZE"))


@contextmanager
def _loading(database: Database) -> Iterator[Connection]:
    if not database.is_sqlite:
        with database.write("benchmark") as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # foreign keys are not looked up
            yield connection
        return
    database.dispose()  # the journal can be changed by the only connection
    engine = create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for pragma in _ALONE:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.exec_driver_sql("BEGIN")
        yield connection
        connection.exec_driver_sql("COMMIT")
    engine.dispose()


def _indexes() -> list[Any]:
    return [index for table in _FILLED for index in sorted(table.indexes, key=lambda index: str(index.name))]


def _cases(connection: Connection, rows: int) -> None:
    one = {table: dict(connection.execute(select(table).limit(1)).one()._mapping) for table in (case, delivery)}
    number = _numbers(rows)
    name, now = cast(number, String), datetime.now(UTC)
    ago: dict[str, Any] = {"created_at": _moment(connection, now - timedelta(days=30), number)}
    closed = {"state": "closed", "closed_at": now}
    _insert(connection, case, one[case] | ago | closed | {"id": "case-" + name, "pseudonym": "P" + name})
    names: dict[str, Any] = {"id": "delivery-" + name, "business_key": "key-" + name, "case_id": "case-" + name}
    _insert(connection, delivery, one[delivery] | ago | names | {"state": "delivered", "changed_at": now})
    sending = connection.execute(select(jobs).where(jobs.c.kind == JobKind.DELIVERY_SEND).limit(1)).one()._mapping
    names = {"id": "job-" + name, "subject_id": "delivery-" + name, "case_id": "case-" + name, "endpoint_id": None}
    done = {"state": JobState.DONE, "settled_at": now, "next_try_at": now}
    _insert(connection, jobs, dict(sending) | ago | names | done)
    few = [f"job-{each}" for each in range(1, PENDING + 1)]
    waiting: dict[str, Any] = {"state": JobState.PENDING, "settled_at": None}
    waiting["endpoint_id"] = func.replace(jobs.c.id, "job-", "endpoint-")
    _destinations(connection)
    connection.execute(update(jobs).where(jobs.c.id.in_(few)).values(waiting))
    some = [f"case-{each}" for each in range(_ONE_OPEN_IN, rows + 1, _ONE_OPEN_IN)]
    connection.execute(update(case).where(case.c.id.in_(some)).values(state="open", closed_at=None))


def _destinations(connection: Connection) -> None:
    one = dict(connection.execute(select(endpoint).where(endpoint.c.ae_title.is_(None)).limit(1)).one()._mapping)
    name = "endpoint-" + cast(_numbers(PENDING), String)
    _insert(connection, endpoint, one | {"id": name, "name": name})


def _studies(connection: Connection, rows: int) -> None:
    studies, now = max(rows // _A_STUDY, 1), datetime.now(UTC)
    number = _numbers(studies)
    name = cast(number, String)
    empty = ("patient_id", "issuer_of_patient_id", "sex", "accession_number", "study_description")
    values: dict[str, Any] = dict.fromkeys(empty, "") | {"clinic_id": "clinic-0", "endpoint_id": "pacs"}
    values |= {"state": "matched", "patient_names": [], "first_received_at": now, "last_received_at": now}
    values |= {"id": "study-" + name, "study_instance_uid": "9." + name, "accession_pseudonym": "A" + name}
    _insert(connection, study, values)
    number = _numbers(rows)
    name = cast(number, String)
    values = {"study_id": "study-" + cast((number - 1) % studies + 1, String)}
    values |= {"clinic_id": "clinic-0", "series_instance_uid": "9.1", "sop_class_uid": "9.2", "state": "stored"}
    values |= {"transfer_syntax_uid": "9.3", "modality": "CT", "size_bytes": 1, "received_at": now}
    values |= {"sop_instance_uid": "9.9." + name, "blob_sha256": "b" + name}
    _insert(connection, instance, values)


def _numbers(most: int) -> Any:
    """1 to `most`, as a column."""
    first: CTE = select(literal(1, Integer).label("number")).cte(f"numbers_{new_id()}", recursive=True)
    every = first.union_all(select(first.c.number + 1).where(first.c.number < most))
    return every.c.number


def _moment(connection: Connection, begin: datetime, number: Any) -> Any:
    """A second later for each number, as the database keeps an Instant."""
    if connection.dialect.name == "sqlite":
        return func.strftime(
            "%Y-%m-%d %H:%M:%S.000000", begin.strftime("%Y-%m-%d %H:%M:%S"), cast(number, String) + " seconds"
        )
    return literal(begin) + func.make_interval(0, 0, 0, 0, 0, 0, number)


def _insert(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    columns = [
        value if hasattr(value, "comparator") else literal(value, table.c[name].type) for name, value in values.items()
    ]
    connection.execute(insert(table).from_select(list(values), select(*columns)))
