"""A database that the previous version filled is upgraded with every row in it, and the gateway works on it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, MetaData, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.errors import Permanent, Transient
from gateway.domain.pseudonym import pseudonym_token
from gateway.domain.study import StudyState
from gateway.services import one_key
from gateway.services.intake import receive
from gateway.store import audit, audit_chain, studies, workers
from gateway.store.engine import Database
from gateway.store.installation import known_fingerprint
from gateway.store.keys import fingerprint_of
from gateway.store.migrations import versions
from gateway.store.readiness import database_problems
from gateway.store.schema import differences, upgrade, upgrade_within
from gateway.store.tables import Instant, audit_seal, audit_tail, instance, metadata, quarantine
from gateway.store.tables import audit as audit_rows
from tests.integration.store.overlap import overlapping
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.postgres import Postgres
from tests.tampering import all_guards, guards
from workers.presence import Presence

PREVIOUS = "0003"
LAST_BUT_ONE = sorted(Path(versions.__file__).parent.glob("[0-9]*.py"))[-2].name.partition("_")[0]
MOMENT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """As the previous version left it."""
    url, server, name = f"sqlite:///{tmp_path / 'previous.db'}", None, f"previous{next(_numbers)}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        assert isinstance(server, Postgres)
        url = server.create_database(name)
    previous = Database(url)
    with previous.write("test") as connection:
        upgrade_within(connection, PREVIOUS)
    yield previous
    previous.dispose()
    if server:
        server.drop_database(name)


def _reflected(database: Database) -> list[Table]:
    """The tables as they are there; those of today know how an instant is written."""
    with database.read() as connection:
        found = MetaData()
        found.reflect(connection)
    for table in found.sorted_tables:
        if table.name in metadata.tables:
            for column in table.columns:
                column.type = metadata.tables[table.name].c[column.name].type
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def _value(table: Table, name: str) -> Any:
    """Something that the column takes; references point at the one row of the other table."""
    column = table.c[name]
    for key in column.foreign_keys:
        return _value(key.column.table, key.column.name)
    known: dict[str, Any] = {"version": 1, "position": 1, "sha256": "a" * 64, "kind": "study-settle", "state": "done"}
    if name in known:
        return known[name]
    if isinstance(column.type, Instant):
        return MOMENT
    kind = column.type.python_type
    if kind is str:
        return f"{table.name}.{name}"[: getattr(column.type, "length", None) or 100]
    return {date: MOMENT.date(), int: 7, bool: False, bytes: b"{}", object: {"of": name}}[kind]


def _rows(database: Database, tables: list[Table]) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in tables}


@pytest.mark.parametrize("revision", sorted({PREVIOUS, "0005", LAST_BUT_ONE}))
def test_a_filled_database_of_a_previous_version_is_upgraded(database: Database, revision: str) -> None:
    with database.write("test") as connection:
        upgrade_within(connection, revision)
    tables = _reflected(database)
    with database.write("test") as connection:
        for table in tables:
            _inserted(connection, table)
    before = _rows(database, tables)
    assert all(len(rows) == 1 for rows in before.values())
    assert database_problems(database)

    upgrade(database)

    assert _rows(database, tables) == before
    assert differences(database) == []
    assert database_problems(database) == []
    assert guards(database) == all_guards(database)


def test_no_instance_gets_the_id_of_one_that_was_destroyed(database: Database) -> None:
    """Neither of one that went before the upgrade, which only the audit trail remembers, nor of one that goes after."""
    with database.write("test") as connection:
        upgrade_within(connection, "0005")
    tables = {table.name: table for table in _reflected(database)}
    with database.write("test") as connection:
        for name in ("party", "resource", "endpoint", "case", "study"):
            _inserted(connection, tables[name])
        kept, destroyed = (_received(connection, tables["instance"], digest) for digest in "ab")
        quarantined = {"id": "quarantined", "instance_id": kept, "created_at": MOMENT}
        _inserted(connection, tables["quarantine"], **quarantined)
        connection.execute(delete(tables["instance"]).where(tables["instance"].c.id == destroyed))

    upgrade(database)

    with database.write("test") as connection:
        [after] = connection.execute(select(instance.c.id)).scalars()
        assert (after, connection.execute(select(quarantine.c.instance_id)).scalar_one()) == (kept, kept)
        newest = _received(connection, instance, "c")
        connection.execute(delete(instance).where(instance.c.id == newest))
        assert destroyed < newest < _received(connection, instance, "d")
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(delete(instance).where(instance.c.id == kept))


def _received(connection: Connection, table: Table, digest: str) -> int:
    """Gives the id of a new instance, which stands in the audit trail as well."""
    values = {one.name: _value(table, one.name) for one in table.columns if one.name != "id"}
    added = insert(table).values(values | {"blob_sha256": digest * 64}).returning(table.c.id)
    given = int(connection.execute(added).scalar_one())
    _recorded_before(connection, actor="pacs", action="instance.received", subject=f"instance/{given}")
    return given


def _recorded_before(
    connection: Connection, *, actor: str, action: str, subject: str, case_id: str | None = None
) -> int:
    """An audit row as the versions before revision 0011 wrote it; gives its id."""
    row = {"at": MOMENT, "actor": actor, "action": action, "outcome": "success", "case_id": case_id}
    names = ("at", "actor", "action", "outcome", "case_id", "subject", "details")
    typed = [sa.column(name, audit_rows.c[name].type) for name in names]
    of_before = sa.table("audit", sa.column("id"), *typed)
    added = insert(of_before).values(row | {"subject": subject, "details": {"n": 1}}).returning(of_before.c.id)
    audit_id = int(connection.execute(added).scalar_one())
    connection.execute(insert(audit_tail).values(audit_id=audit_id))
    return audit_id


def _sealed_before(connection: Connection, audit_id: int, *, actor: str, action: str, subject: str) -> str:
    """The first seal of a chain, as those versions made it; gives its digest."""
    content = [audit_id, MOMENT.isoformat(), actor, action, "success", None, subject, {"n": 1}]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(("0" * 64 + canonical).encode()).hexdigest()
    connection.execute(delete(audit_tail).where(audit_tail.c.audit_id == audit_id))
    seal = {"position": 1, "audit_id": audit_id, "sha256": digest, "sealed_at": MOMENT}
    connection.execute(insert(audit_seal).values(seal))
    return digest


def _inserted(connection: Connection, table: Table, **known: Any) -> None:
    connection.execute(insert(table).values({one.name: _value(table, one.name) for one in table.columns} | known))


def test_the_first_program_after_the_upgrade_records_the_key_of_the_cases(database: Database, tmp_path: Path) -> None:
    """Whichever program is first, a machine with another key is not, and one that is comes back to its own."""
    key, path = b"k" * 32, tmp_path / "pseudonym.key"
    tables, case_id = {table.name: table for table in _reflected(database)}, "case0"
    pseudonym = pseudonym_token(key, "case", case_id, prefix="X")
    with database.write("test") as connection:
        for name in ("party", "resource", "case"):
            row = {one.name: _value(tables[name], one.name) for one in tables[name].columns}
            row |= {"id": case_id, "pseudonym": pseudonym, "state": "open"} if name == "case" else {}
            connection.execute(insert(tables[name]).values(row))
    with pytest.raises(Transient, match="consilium db upgrade"), database.write("test") as connection:
        one_key.confirm(connection, key, path, now=MOMENT)

    upgrade(database)

    assert known_fingerprint(database) is None
    with pytest.raises(Permanent, match="the one its pseudonyms were made with"), database.write("test") as connection:
        one_key.confirm(connection, b"x" * 32, path, now=MOMENT)
    assert known_fingerprint(database) is None

    def first() -> None:
        with database.write("test") as connection:
            one_key.confirm(connection, key, path, now=MOMENT)

    overlapping(database, first, first)
    assert known_fingerprint(database) == fingerprint_of(key)
    assert one_key.known_problem(database, key, path) == ""
    assert "is not that of this installation" in one_key.known_problem(database, b"x" * 32, path)


def test_a_worker_shows_itself_once_its_table_is_there(database: Database) -> None:
    """Until then it does its work unseen, as those of the previous version do."""
    with database.write("test") as connection:
        upgrade_within(connection, "0004")
    presence = Presence(database, now=lambda: MOMENT, queues=["match"], waits_for=lambda: "")
    with pytest.raises(Transient, match="consilium db upgrade"):
        presence.show()

    upgrade(database)

    presence.show()
    presence.show()
    with database.read() as connection:
        [shown] = workers.present(connection, MOMENT)
        assert workers.present(connection, MOMENT + timedelta(minutes=1)) == ()
    assert shown.queues == {"match"}
    presence.leave()
    with database.read() as connection:
        assert workers.present(connection, MOMENT) == ()


def test_the_gateway_works_on_what_was_there_before_the_upgrade(database: Database, tmp_path: Path) -> None:
    tables = {table.name: table for table in _reflected(database)}
    party = {"id": "clinic0", "kind": "clinic", "name": "old clinic", "country": "TR", "time_zone": "Europe/Istanbul"}
    address = {"ae_title": "OLDPACS", "host": "10.0.0.9", "port": 104}
    endpoint: dict[str, Any] = {"id": "pacs0", "party_id": "clinic0", "name": "old pacs", "role": "pacs"}
    endpoint |= {"ae_title": "OLDPACS", "address": address}
    with database.write("test") as connection:
        connection.execute(insert(tables["party"]).values(party | {"created_at": MOMENT}))
        connection.execute(insert(tables["endpoint"]).values(endpoint | {"created_at": MOMENT}))
        said = {"actor": "previous", "action": "case.opened", "subject": "case/0"}
        _sealed_before(connection, _recorded_before(connection, **said), **said)

    upgrade(database)

    stage = Stage(database, tmp_path)
    [ds] = ct_series(slices=1)
    arrival = replace(stage.arrival(ds), endpoint=replace(stage.pacs, id="pacs0", party_id="clinic0"))
    receive(stage.core, arrival)
    with database.write("test") as connection:
        assert audit_chain.seal(connection, now=stage.core.now()) > 1
    with database.read() as connection:
        assert audit_chain.verify(connection).broken_at is None
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    with database.read() as connection:
        [waiting] = studies.listed(connection)
    assert (waiting.study_instance_uid, waiting.state) == (ds.StudyInstanceUID, StudyState.UNMATCHED)


def test_rows_of_before_are_found_by_the_patient_of_their_case_and_stay_proven(database: Database) -> None:
    of_before = {one.name: one for one in _reflected(database)}
    with database.write("test") as connection:
        for name in ("party", "resource", "case"):
            _inserted(connection, of_before[name])
        case_id, patient_id = _value(of_before["case"], "id"), _value(of_before["case"], "patient_id")
        said = {"actor": "previous", "action": "case.opened", "subject": "case/0"}
        _sealed_before(connection, _recorded_before(connection, **said), **said)
        _recorded_before(connection, actor="previous", action="fhir.read", subject="x", case_id=case_id)

    upgrade(database)

    with database.write("test") as connection:
        audit.record(connection, at=MOMENT, actor="new", action="fhir.read", subject="y", case_id=case_id)
        audit_chain.seal(connection, now=MOMENT)
    with database.read() as connection:
        found = audit.of_patient(connection, patient_id, limit=10)
        assert [(row.actor, row.patient_id) for row in found] == [("new", patient_id), ("previous", None)]
        verified = audit_chain.verify(connection)
    assert (verified.sealed, verified.damages) == (3, ())
