"""The chain shows every change, removal and reordering of a sealed row, and counts what is not sealed yet."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from gateway.store import audit, tables
from gateway.store.engine import Database
from tests.integration.store.overlap import overlapping

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _record(database: Database, count: int) -> None:
    with database.write("test") as connection:
        for number in range(count):
            audit.record(connection, at=NOW, actor="w", action="egress.granted", subject=f"d{number}", details={"n": 1})


def _seal(database: Database, limit: int = 1000) -> int:
    with database.write("test") as connection:
        return audit.seal(connection, now=NOW, limit=limit)


def _verified(database: Database) -> audit.Verification:
    with database.read() as connection:
        return audit.verify(connection)


def test_the_tail_is_counted_until_it_is_sealed(database: Database) -> None:
    _record(database, 3)
    assert _verified(database) == audit.Verification(sealed=0, unsealed=3, broken_at=None)
    assert _seal(database, limit=2) == 2
    assert _verified(database) == audit.Verification(sealed=2, unsealed=1, broken_at=None)
    assert _seal(database) == 1
    assert _seal(database) == 0
    assert _verified(database) == audit.Verification(sealed=3, unsealed=0, broken_at=None)
    with database.read() as connection:
        assert not audit.has_unsealed(connection)


@pytest.mark.parametrize("column", ["actor", "action", "outcome", "subject", "details", "at", "case_id"])
def test_a_changed_row_breaks_the_chain_where_it_stands(database: Database, column: str) -> None:
    _record(database, 3)
    _seal(database)
    forged: object = {"n": 2} if column == "details" else datetime(2026, 3, 3, tzinfo=UTC) if column == "at" else "x"
    with database.write("test") as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.id == 2).values({column: forged}))
    assert _verified(database).broken_at == 2


def test_a_removed_row_and_a_removed_seal_are_seen(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    with database.write("test") as connection:
        connection.execute(delete(tables.audit_seal).where(tables.audit_seal.c.position == 2))
    assert _verified(database).broken_at == 3


def test_what_is_rolled_back_leaves_no_row(database: Database) -> None:
    class Stop(Exception):
        pass

    with pytest.raises(Stop), database.write("test") as connection:
        audit.record(connection, at=NOW, actor="w", action="x")
        raise Stop
    assert _verified(database) == audit.Verification(sealed=0, unsealed=0, broken_at=None)


def test_two_sealers_at_once_make_one_chain(database: Database) -> None:
    _record(database, 5)
    sealed = overlapping(database, lambda: _seal(database, limit=3), lambda: _seal(database))
    assert sealed == (3, 2)
    assert _verified(database) == audit.Verification(sealed=5, unsealed=0, broken_at=None)


def test_a_row_that_commits_after_later_ones_were_sealed_is_sealed_behind_them(database: Database) -> None:
    def record_and_seal() -> None:
        _record(database, 1)
        _seal(database)

    overlapping(database, lambda: _record(database, 1), record_and_seal)
    _seal(database)
    assert _verified(database) == audit.Verification(sealed=2, unsealed=0, broken_at=None)


def test_a_row_that_nobody_would_ever_seal_is_seen(database: Database) -> None:
    _record(database, 3)
    assert _seal(database, limit=1) == 1
    with database.write("test") as connection:
        connection.execute(delete(tables.audit_tail).where(tables.audit_tail.c.audit_id == 2))
    assert _verified(database) == audit.Verification(sealed=1, unsealed=2, broken_at=2)
    assert _seal(database) == 1
    assert _verified(database) == audit.Verification(sealed=2, unsealed=1, broken_at=2)
