"""A row or a seal that was changed to something that cannot be read is named, and the walk goes on behind it."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gateway.domain.audit_proof import Anchor, Damage, Verification
from gateway.domain.errors import Transient
from gateway.store import audit, audit_chain
from gateway.store.engine import Database
from tests.tampering import tampering

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UNREADABLE = "the row or its seal was changed: what it holds cannot be read"
CHANGED = "the row or its seal was changed, or seals beside it were made anew"
UNTOLD = "the seal before this one cannot be read, so that nothing tells whether the row was changed"
SEAL_CHANGED = "the seal of this row was changed, and the row was not"
_LONG, _DEEP = f"'{{\"n\": {'9' * 5000}}}'", f"'{'[' * 100_000}{']' * 100_000}'"
_ROWS = {
    "sqlite": {
        "at-text": "at = 'yesterday'",
        "at-number": "at = 7",
        "at-blob": "at = x'ff'",
        "details-cut": "details = '{\"n\": '",
        "details-number": "details = 7",
        "details-empty": "details = ''",
        "details-blob": "details = x'ff'",
        "details-long": f"details = {_LONG}",
        "details-deep": f"details = {_DEEP}",
        "actor-blob": "actor = x'ff'",
        "actor-undecodable": "actor = CAST(x'ff' AS TEXT)",
    },
    "postgresql": {
        "at-infinite": "at = 'infinity'",
        "at-before-christ": "at = '0044-03-15 12:00:00+00 BC'",
        "at-too-late": "at = '20260-03-15 12:00:00+00'",
        "details-scalar": "details = '7'",
        "details-null": "details = 'null'",
        "details-long": f"details = {_LONG}",
        "details-escaped": "details = '\"\\ud800\"'",
    },
}
_SEALS = {
    "sqlite": {
        "time": "sealed_at = 'yesterday'",
        "time-number": "sealed_at = 7",
        "digest-blob": "sha256 = x'ff'",
        "digest-undecodable": "sha256 = CAST(x'ff' AS TEXT)",
        "form": "form = 'x'",
    },
    "postgresql": {"time": "sealed_at = 'infinity'", "digest": "sha256 = ''", "form": "form = 9"},
}


def _filled(database: Database, count: int, *, sealed: int) -> None:
    with database.write("test") as connection:
        for _ in range(count):
            audit.record(connection, at=NOW, actor="w", action="case.show", details={"n": 1})
        audit_chain.seal(connection, now=NOW, limit=sealed)


def _verified(database: Database, *anchors: Anchor) -> Verification:
    with database.read() as connection:
        return audit_chain.verify(connection, anchors=anchors)


def _forged(database: Database, forgery: str) -> None:
    with tampering(database) as connection:
        connection.exec_driver_sql(forgery.replace("%", "%%"))


@pytest.mark.parametrize("name", sorted({*_ROWS["sqlite"], *_ROWS["postgresql"]}))
def test_a_row_that_cannot_be_read_is_named(database: Database, name: str) -> None:
    forgery = _ROWS["sqlite" if database.is_sqlite else "postgresql"].get(name)
    _filled(database, 6, sealed=5)
    with database.read() as connection:
        end = audit_chain.head(connection, now=NOW)
    assert end is not None
    if forgery:
        _forged(database, f"UPDATE audit SET {forgery} WHERE id = 3")
        _forged(database, "UPDATE audit SET actor = 'nobody' WHERE id = 5")
    found = _verified(database, end)
    assert (found.unsealed, found.oldest_unsealed_at) == (1, NOW)
    if forgery:
        assert [(one.audit_id, one.position) for one in found.damages] == [(3, 3), (5, 5)]
        assert {one.what for one in found.damages} <= {UNREADABLE, CHANGED}
        assert (found.sealed, found.broken_at) == (2, 3)


@pytest.mark.parametrize("name", sorted({*_SEALS["sqlite"], *_SEALS["postgresql"]}))
def test_a_seal_that_cannot_be_read_is_named(database: Database, name: str) -> None:
    forgery = _SEALS["sqlite" if database.is_sqlite else "postgresql"].get(name)
    _filled(database, 5, sealed=5)
    if forgery:
        _forged(database, f"UPDATE audit_seal SET {forgery} WHERE position = 3")
        found = _verified(database)
        assert (found.damages[0].audit_id, found.damages[0].position, found.broken_at) == (3, 3, 3)
        assert found.damages[0].what in {UNREADABLE, CHANGED, SEAL_CHANGED}
        behind = [Damage(4, 4, UNTOLD)] if name == "digest-undecodable" else []
        assert [*found.damages[1:]] == behind


@pytest.mark.parametrize("name", sorted({*_ROWS["sqlite"], *_ROWS["postgresql"]}))
def test_a_row_that_waits_for_its_seal_and_cannot_be_read_is_named(database: Database, name: str) -> None:
    forgery = _ROWS["sqlite" if database.is_sqlite else "postgresql"].get(name, "")
    is_readable = not forgery or name in {"details-scalar", "details-null", "details-escaped", "details-number"}
    _filled(database, 4, sealed=2)
    if forgery:
        _forged(database, f"UPDATE audit SET {forgery} WHERE id = 3")
    found = _verified(database)
    assert (found.sealed, found.unsealed) == (2, 2)
    if not is_readable:
        assert found.damages == (Damage(3, None, "the row was changed: what it holds cannot be read"),)


def test_rows_far_apart_are_all_named(database: Database) -> None:
    _filled(database, 2500, sealed=2500)
    for audit_id in (1, 1000, 1001, 2500):
        forgery = "'yesterday'" if database.is_sqlite else "'infinity'"
        _forged(database, f"UPDATE audit SET at = {forgery} WHERE id = {audit_id}")
    assert [one.audit_id for one in _verified(database).damages] == [1, 1000, 1001, 2500]


def test_a_database_that_does_not_answer_is_no_damage(database: Database) -> None:
    """What is read again one by one is what holds something strange; an outage, or a table that is gone, is told."""
    _filled(database, 2, sealed=2)
    with database.write("test") as connection:
        connection.execute(text("ALTER TABLE audit_seal RENAME TO elsewhere"))
    with pytest.raises(Transient, match="is not of this version"):
        _verified(database)
