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
_READABLE = ("details-number", "details-scalar", "details-null", "details-escaped")
"""Nobody knows what was in them before there is a seal."""
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


def _each_forged(database: Database, table: str, key: str, forgeries: dict[str, dict[str, str]]) -> dict[str, int]:
    """Every third row of it is forged in one of the ways that the database lets through; gives which."""
    known = forgeries["sqlite" if database.is_sqlite else "postgresql"]
    places = {name: 3 * number + 2 for number, name in enumerate(known)}
    for name, place in places.items():
        _forged(database, f"UPDATE {table} SET {known[name]} WHERE {key} = {place}")
    return places


def test_a_row_that_cannot_be_read_is_named(database: Database) -> None:
    _filled(database, 61, sealed=60)
    with database.read() as connection:
        end = audit_chain.head(connection, now=NOW)
    assert end is not None
    places = _each_forged(database, "audit", "id", _ROWS)
    _forged(database, "UPDATE audit SET actor = 'nobody' WHERE id = 60")
    found = _verified(database, end)
    assert [(one.audit_id, one.position) for one in found.damages] == [(one, one) for one in (*places.values(), 60)]
    assert {one.what for one in found.damages} == {UNREADABLE, CHANGED}
    assert (found.sealed, found.broken_at) == (1, 2)
    assert (found.unsealed, found.oldest_unsealed_at) == (1, NOW)


def test_a_seal_that_cannot_be_read_is_named(database: Database) -> None:
    _filled(database, 30, sealed=30)
    places = _each_forged(database, "audit_seal", "position", _SEALS)
    said = {one.audit_id: one.what for one in _verified(database).damages}
    behind = {places[name] + 1: UNTOLD for name in places if name == "digest-undecodable"}
    assert said.keys() == {*places.values(), *behind}
    assert {said[one] for one in places.values()} == {UNREADABLE, SEAL_CHANGED}
    assert behind.items() <= said.items()


def test_a_row_that_waits_for_its_seal_and_cannot_be_read_is_named(database: Database) -> None:
    _filled(database, 50, sealed=1)
    places = _each_forged(database, "audit", "id", _ROWS)
    found = _verified(database)
    assert (found.sealed, found.unsealed, found.oldest_unsealed_at) == (1, 49, NOW)
    what = "the row was changed: what it holds cannot be read"
    unreadable = [place for name, place in places.items() if name not in _READABLE]
    assert found.damages == tuple(Damage(one, None, what) for one in unreadable)


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
