"""A trail as production would have it: sealed by the sealer on SQLite, and carried row by row to PostgreSQL.

`audit.record` is not asked: a million transactions would take an hour. What it would have written is.
"""

from collections.abc import Sequence

from sqlalchemy import Table, insert, select

from benchmarks.audit.rows import BEGINNING, CLINICS, PATIENTS, case_id, clinic_id, patient_id, row
from gateway.store import numbers as numbers_after
from gateway.store.engine import Database
from gateway.store.tables import audit, audit_seal, audit_tail, case, party, resource

_AT_ONCE = 10_000
_WRITE = "bench.fill"


def fill(database: Database, rows: int) -> None:
    """The parties, patients, cases and so many audit rows, of which none is sealed yet."""
    add_parties(database)
    for first in range(1, rows + 1, _AT_ONCE):
        last = min(first + _AT_ONCE - 1, rows)
        added = select(audit.c.id).where(audit.c.id.between(first, last))
        with database.write(_WRITE) as connection:
            connection.execute(insert(audit), [row(number, rows) for number in range(first, last + 1)])
            connection.execute(insert(audit_tail).from_select(["audit_id"], added))
    count_on(database)


def carry(source: Database, target: Database, *, rows: int, sealed: int) -> None:
    """The first `rows` of the same trail in PostgreSQL: `sealed` of them with their seals, the others wait for them."""
    add_parties(target)
    _copy(source, target, audit, audit, f"WHERE id <= {rows}")
    _copy(source, target, audit_seal, audit_seal, f"WHERE position <= {sealed}")
    _copy(source, target, audit_seal, audit_tail, f"WHERE position > {sealed} AND position <= {rows}")
    count_on(target)
    with target.aside() as connection:
        connection.execute("VACUUM ANALYZE")  # as its autovacuum does; the gateway runs no ANALYZE on SQLite


def add_parties(database: Database) -> None:
    """Whom the rows are about."""
    with database.write(_WRITE) as connection:
        connection.execute(insert(party), [_clinic(number) for number in range(CLINICS)])
        connection.execute(insert(resource), [_patient(number) for number in range(PATIENTS)])
        connection.execute(insert(case), [_case(number, one) for number in range(PATIENTS) for one in _cases(number)])


def count_on(database: Database) -> None:
    """The ids of rows that are added from now on come after these."""
    with database.write(_WRITE) as connection:
        numbers_after.go_on(connection)


def _copy(source: Database, target: Database, of: Table, into: Table, where: str) -> None:
    """As the driver has it, without a conversion: SQLite keeps instants in UTC, as text."""
    names = [one.name for one in into.columns]
    with source.aside() as reading, target.aside() as writing:
        writing.execute("SET TIME ZONE 'UTC'")
        found = reading.execute(f"SELECT {_list(names)} FROM {of.name} {where} ORDER BY 1")
        with writing.cursor().copy(f"COPY {into.name} ({_list(names)}) FROM STDIN") as copy:
            for values in found:
                copy.write_row(values)


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _clinic(number: int) -> dict[str, object]:
    values = {"id": clinic_id(number), "kind": "clinic", "name": f"clinic {number}", "country": "TR"}
    return values | {"time_zone": "Europe/Istanbul", "created_at": BEGINNING}


def _patient(number: int) -> dict[str, object]:
    values = {"id": patient_id(number), "party_id": clinic_id(number), "type": "Patient"}
    return values | {"version": 1, "updated_at": BEGINNING}


def _cases(patient: int) -> Sequence[str]:
    return sorted({case_id(patient, which) for which in range(2)})


def _case(patient: int, own_id: str) -> dict[str, object]:
    values = {"id": own_id, "clinic_id": clinic_id(patient), "patient_id": patient_id(patient)}
    return values | {"pseudonym": f"P-{own_id[-12:]}", "state": "open", "created_at": BEGINNING}
