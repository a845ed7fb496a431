"""The chain shows every change, removal and reordering of a sealed row, and counts what is not sealed yet."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.audit_proof import Anchor, Damage, Verification
from gateway.store import audit, audit_chain, tables
from gateway.store.engine import Database
from tests.integration.store.overlap import overlapping
from tests.tampering import tampering

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROWS, SEALS = tables.audit, tables.audit_seal
CHANGED = "the row or its seal was changed, or seals beside it were made anew"
SEAL_CHANGED = "the seal of this row was changed, and the row was not"
REORDERED = "the row stands in another order than it was sealed in"


def _record(database: Database, count: int) -> None:
    with database.write("test") as connection:
        for number in range(count):
            audit.record(
                connection,
                at=NOW + timedelta(seconds=number),
                actor="w",
                action="egress.granted",
                patient_id="patient" if number % 2 else None,
                subject=f"d{number}",
                details={"n": 1},
            )


def _seal(database: Database, limit: int = 1000) -> int:
    with database.write("test") as connection:
        return audit_chain.seal(connection, now=NOW, limit=limit)


def _verified(database: Database, *anchors: Anchor) -> Verification:
    with database.read() as connection:
        return audit_chain.verify(connection, anchors=anchors)


def _anchor(database: Database) -> Anchor:
    with database.read() as connection:
        found = audit_chain.head(connection, now=NOW)
    assert found is not None
    return found


def _whole(sealed: int, unsealed: int) -> Verification:
    return Verification(sealed, unsealed, NOW if unsealed else None, broken_at=None, damages=())


def test_the_tail_is_counted_until_it_is_sealed(database: Database) -> None:
    _record(database, 3)
    assert _verified(database) == _whole(sealed=0, unsealed=3)
    assert _seal(database, limit=2) == 2
    last = NOW + timedelta(seconds=2)
    assert _verified(database) == Verification(2, 1, last, broken_at=None, damages=())
    assert _seal(database) == 1
    assert _seal(database) == 0
    assert _verified(database) == _whole(sealed=3, unsealed=0)
    with database.read() as connection:
        assert not audit_chain.has_unsealed(connection)


@pytest.mark.parametrize("changed", [2, 3])
def test_a_changed_row_is_named(database: Database, changed: int) -> None:
    _record(database, 4)
    _seal(database)
    is_it, another = ROWS.c.id == changed, datetime(2026, 3, 3, tzinfo=UTC)
    for column in ("actor", "action", "outcome", "subject", "details", "at", "case_id", "patient_id"):
        forged: object = {"details": {"n": 2}, "at": another}.get(column, "x")
        with tampering(database) as connection:
            before = connection.execute(select(ROWS.c[column]).where(is_it)).scalar_one()
            connection.execute(update(ROWS).where(is_it).values({column: forged}))
        found = _verified(database)
        assert (found.broken_at, found.sealed) == (changed, changed - 1), column
        assert found.damages == (Damage(changed, changed, CHANGED),)
        with tampering(database) as connection:
            connection.execute(update(ROWS).where(is_it).values({column: before}))
        assert _verified(database) == _whole(sealed=4, unsealed=0)


def test_a_patient_that_was_taken_out_of_a_row_is_seen(database: Database) -> None:
    _record(database, 2)
    _seal(database)
    with tampering(database) as connection:
        connection.execute(update(ROWS).where(ROWS.c.id == 2).values(patient_id=None))
    assert _verified(database).damages == (Damage(2, 2, CHANGED),)


def test_a_sealer_of_the_version_before_breaks_nothing_beside_a_newer_writer(database: Database) -> None:
    """It digests what it knows, and names no form: the patient that the newer program wrote is not in its seals."""
    _record(database, 2)
    digest = "0" * 64
    with database.write("test") as connection:
        for row in connection.execute(select(ROWS).order_by(ROWS.c.id)).all():
            known = [row.id, row.at.isoformat(), row.actor, row.action, row.outcome, row.case_id, row.subject]
            canonical = json.dumps([*known, row.details], sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256((digest + canonical).encode()).hexdigest()
            seal = {"position": row.id, "audit_id": row.id, "sha256": digest, "sealed_at": NOW}
            connection.execute(insert(SEALS).values(seal))
        connection.execute(delete(tables.audit_tail))
    _record(database, 2)
    _seal(database)
    assert _verified(database) == _whole(sealed=4, unsealed=0)
    with tampering(database) as connection:
        connection.execute(update(SEALS).where(SEALS.c.position == 4).values(form=None))
    assert _verified(database).damages == (Damage(4, 4, SEAL_CHANGED),)


@pytest.mark.parametrize("altered", [(2,), (2, 3), (2, 4), (5,)], ids=str)
def test_a_seal_that_was_altered_is_named_and_no_row_behind_it(database: Database, altered: tuple[int, ...]) -> None:
    """The seals behind it are those of the digests that their rows make; behind the last one there is none to tell."""
    _record(database, 5)
    _seal(database)
    for position in altered:
        with tampering(database) as connection:
            connection.execute(update(SEALS).where(SEALS.c.position == position).values(sha256=f"{position:064}"))
    found = _verified(database)
    what = CHANGED if altered == (5,) else SEAL_CHANGED
    assert found.damages == tuple(Damage(one, one, what) for one in altered)
    assert (found.sealed, found.broken_at) == (altered[0] - 1, altered[0])


def test_where_seals_of_old_and_new_meet_is_all_that_the_chain_shows(database: Database) -> None:
    """A row was changed and sealed anew: row 3 does not fit, and nothing in the chain says which side was forged."""
    _record(database, 4)
    with tampering(database) as connection:
        forged = connection.execute(select(ROWS.c.actor).where(ROWS.c.id == 2)).scalar_one()
        connection.execute(update(ROWS).where(ROWS.c.id == 2).values(actor="forged"))
        audit_chain.seal(connection, now=NOW)
        connection.execute(delete(SEALS).where(SEALS.c.position > 2))
        sealed = connection.execute(select(SEALS)).mappings().all()
        connection.execute(delete(SEALS))
        connection.execute(update(ROWS).where(ROWS.c.id == 2).values(actor=forged))
        connection.execute(insert(tables.audit_tail), [{"audit_id": number} for number in range(1, 5)])
    _seal(database)
    with tampering(database) as connection:
        connection.execute(update(ROWS).where(ROWS.c.id == 2).values(actor="forged"))
        connection.execute(update(SEALS).where(SEALS.c.position == 2).values(sha256=sealed[1]["sha256"]))
    assert _verified(database).damages == (Damage(3, 3, CHANGED),)


def test_the_time_of_a_seal_is_in_the_chain(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    with tampering(database) as connection:
        later = NOW + timedelta(microseconds=1)
        connection.execute(update(SEALS).where(SEALS.c.position == 2).values(sealed_at=later))
    assert _verified(database).damages == (Damage(2, 2, CHANGED),)


def test_seals_of_the_version_before_hold_without_their_time(database: Database) -> None:
    """Form 2, which has the patient: the time of sealing was not part of it."""
    _record(database, 2)
    digest = "0" * 64
    with database.write("test") as connection:
        for row in connection.execute(select(ROWS).order_by(ROWS.c.id)).all():
            known = [row.id, row.at.isoformat(), row.actor, row.action, row.outcome, row.case_id, row.subject]
            canonical = json.dumps([*known, row.details, row.patient_id], sort_keys=True, separators=(",", ":"))
            digest = hashlib.sha256((digest + canonical).encode()).hexdigest()
            seal = {"position": row.id, "audit_id": row.id, "sha256": digest, "sealed_at": NOW, "form": 2}
            connection.execute(insert(SEALS).values(seal))
        connection.execute(delete(tables.audit_tail))
    _record(database, 2)
    _seal(database)
    assert _verified(database) == _whole(sealed=4, unsealed=0)


def test_every_damage_is_named_not_the_first_alone(database: Database) -> None:
    _record(database, 6)
    _seal(database)
    with tampering(database) as connection:
        connection.execute(update(ROWS).where(ROWS.c.id.in_((2, 5))).values(actor="x"))
    assert [one.audit_id for one in _verified(database).damages] == [2, 5]


def test_a_removed_seal_is_seen(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    with tampering(database) as connection:
        connection.execute(delete(SEALS).where(SEALS.c.position == 2))
    found = _verified(database)
    assert found.broken_at == 3
    assert found.damages == (
        Damage(3, 3, "seals 2 to 2 are missing before the seal of this row"),
        Damage(2, None, "the row has no seal, and waits for none"),
    )


def test_a_removed_row_is_named(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    _lose_row_2(database)
    assert _verified(database).damages == (Damage(2, 2, "the row is gone; its seal is there"),)


def test_a_beginning_that_was_cut_off_is_seen(database: Database) -> None:
    _record(database, 4)
    _seal(database)
    with tampering(database) as connection:
        connection.execute(delete(SEALS).where(SEALS.c.position <= 2))
        connection.execute(delete(ROWS).where(ROWS.c.id <= 2))
    assert _verified(database).damages == (Damage(3, 3, "seals 1 to 2 are missing before the seal of this row"),)


def _swap_seals(connection: Connection) -> None:
    held = {row.position: row for row in connection.execute(select(SEALS).where(SEALS.c.position.in_((2, 3))))}
    connection.execute(delete(SEALS).where(SEALS.c.position.in_((2, 3))))
    for position, other in ((2, 3), (3, 2)):
        row = dict(held[other]._mapping) | {"position": position}
        connection.execute(insert(SEALS).values(row))


def _swap_rows_of_seals(connection: Connection) -> None:
    for seal, row in ((2, 99), (3, 2), (2, 3)):
        if row == 99:
            spare = dict(connection.execute(select(ROWS).where(ROWS.c.id == 2)).one()._mapping)
            connection.execute(insert(ROWS).values(spare | {"id": 99}))
        connection.execute(update(SEALS).where(SEALS.c.position == seal).values(audit_id=row))
    connection.execute(delete(ROWS).where(ROWS.c.id == 99))


@pytest.mark.parametrize(
    ("swap", "named"), [(_swap_seals, {2, 3, 4}), (_swap_rows_of_seals, {2, 3})], ids=["seals", "rows"]
)
def test_a_changed_order_is_named(database: Database, swap: Callable[[Connection], None], named: set[int]) -> None:
    _record(database, 5)
    _seal(database)
    with tampering(database) as connection:
        swap(connection)
    found = _verified(database)
    assert {one.audit_id for one in found.damages} == named
    assert {one.what for one in found.damages} == {REORDERED}


def test_an_end_that_was_cut_off_is_seen_against_an_anchor_alone(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    anchor = _anchor(database)
    assert (anchor.position, anchor.audit_id) == (3, 3)
    assert _verified(database, anchor) == _whole(sealed=3, unsealed=0)
    with tampering(database) as connection:
        connection.execute(delete(SEALS).where(SEALS.c.position > 1))
        connection.execute(delete(ROWS).where(ROWS.c.id > 1))
    assert _verified(database) == _whole(sealed=1, unsealed=0)
    [damage] = _verified(database, anchor).damages
    assert (damage.audit_id, damage.position) == (3, 3)
    assert damage.what == f"the anchor of {NOW.isoformat()} has 3 seals, and 1 are left"


def test_a_chain_that_was_made_anew_is_seen_against_an_anchor_alone(database: Database) -> None:
    _record(database, 3)
    _seal(database)
    anchor = _anchor(database)
    with tampering(database) as connection:
        connection.execute(update(ROWS).where(ROWS.c.id == 2).values(actor="nobody"))
        connection.execute(delete(SEALS))
        connection.execute(insert(tables.audit_tail), [{"audit_id": number} for number in (1, 2, 3)])
    _seal(database)
    assert _verified(database) == _whole(sealed=3, unsealed=0)
    [damage] = _verified(database, anchor).damages
    assert damage.position == 3
    assert "rows up to it were written anew" in damage.what


def test_what_is_rolled_back_leaves_no_row(database: Database) -> None:
    class Stop(Exception):
        pass

    with pytest.raises(Stop), database.write("test") as connection:
        audit.record(connection, at=NOW, actor="w", action="x")
        raise Stop
    assert _verified(database) == _whole(sealed=0, unsealed=0)


def test_two_sealers_at_once_make_one_chain(database: Database) -> None:
    _record(database, 5)
    sealed = overlapping(database, lambda: _seal(database, limit=3), lambda: _seal(database))
    assert sealed == (3, 2)
    assert _verified(database) == _whole(sealed=5, unsealed=0)


def test_a_row_that_commits_after_later_ones_were_sealed_is_sealed_behind_them(database: Database) -> None:
    def record_and_seal() -> None:
        _record(database, 1)
        _seal(database)

    overlapping(database, lambda: _record(database, 1), record_and_seal)
    _seal(database)
    assert _verified(database) == _whole(sealed=2, unsealed=0)


def test_a_row_that_nobody_would_ever_seal_is_seen(database: Database) -> None:
    _record(database, 3)
    assert _seal(database, limit=1) == 1
    with tampering(database) as connection:
        connection.execute(delete(tables.audit_tail).where(tables.audit_tail.c.audit_id == 2))
    found = _verified(database)
    assert (found.sealed, found.unsealed, found.broken_at) == (1, 2, 2)
    assert _seal(database) == 1
    found = _verified(database)
    assert (found.sealed, found.unsealed, found.broken_at) == (2, 1, 2)


def test_a_row_that_went_before_it_was_sealed_is_seen(database: Database) -> None:
    _record(database, 2)
    _lose_row_2(database)
    assert _verified(database).damages == (Damage(2, None, "the row is gone before it was sealed"),)


@pytest.mark.parametrize("table", [ROWS, SEALS], ids=["audit", "audit_seal"])
def test_the_database_itself_refuses_to_change_the_trail(database: Database, table: Table) -> None:
    _record(database, 1)
    _seal(database)
    for change in (
        update(table).values(sha256="x") if table is SEALS else update(table).values(actor="x"),
        delete(table),
    ):
        with pytest.raises(IntegrityError, match="the audit trail only grows"), database.write("test") as connection:
            connection.execute(change)
    assert _verified(database) == _whole(sealed=1, unsealed=0)


_ROW = "at, 'forged', action, outcome, case_id, subject, details, patient_id FROM audit WHERE id = 2"
_NAMES = "at, actor, action, outcome, case_id, subject, details, patient_id"
_SEAL = "'forged', sealed_at, form FROM audit_seal WHERE position = 2"
_SEAL_NAMES = "position, audit_id, sha256, sealed_at, form"
_CLASHES = {
    "row": (f"audit (id, {_NAMES}) SELECT id, {_ROW}", "(id) DO UPDATE SET actor = 'forged'"),
    "rowid": (f"audit (rowid, {_NAMES}) SELECT id, {_ROW}", ""),
    "seal": (f"audit_seal ({_SEAL_NAMES}) SELECT 2, 3, {_SEAL}", "(position) DO UPDATE SET sha256 = 'forged'"),
    "sealed-row": (f"audit_seal ({_SEAL_NAMES}) SELECT 3, 2, {_SEAL}", "(audit_id) DO UPDATE SET sha256 = 'forged'"),
}
"""What has a key of something that is there, and what PostgreSQL may be told to do then."""


@pytest.mark.parametrize("clash", _CLASHES)
def test_no_insert_takes_the_place_of_what_is_there(database: Database, clash: str) -> None:
    """`REPLACE` deletes, and fires no trigger of DELETE (https://sqlite.org/lang_conflict.html)."""
    _record(database, 3)
    _seal(database, limit=2)
    values, instead = _CLASHES[clash]
    if database.is_sqlite:
        forgeries = [f"{take} INTO {values}" for take in ("REPLACE", "INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT")]
    else:
        forgeries = [f"INSERT INTO {values} ON CONFLICT {instead}"] if instead else []
    for forgery in forgeries:
        with pytest.raises(IntegrityError, match="the audit trail only grows"), database.write("test") as connection:
            connection.exec_driver_sql(forgery)
    assert _verified(database) == Verification(2, 1, NOW + timedelta(seconds=2), broken_at=None, damages=())
    _record(database, 1)
    assert _seal(database) == 2


def _lose_row_2(database: Database) -> None:
    """Although a seal, or the tail, refers to it: on SQLite where the keys are not enforced."""
    if database.is_sqlite:
        with database.aside() as raw:
            raw.execute("PRAGMA foreign_keys = OFF")
            raw.execute("DROP TRIGGER audit_no_delete")
            raw.execute("DELETE FROM audit WHERE id = 2")
        return
    with tampering(database) as connection:
        connection.execute(delete(ROWS).where(ROWS.c.id == 2))
