"""A gateway made of a backup goes on where it was, on either database, and overwrites nothing."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.party import PartyKind
from gateway.services import one_key
from gateway.services.intake import receive
from gateway.services.one_store import OwnBlobs, new_mark
from gateway.services.people import sessions
from gateway.services.restoring import restore
from gateway.store import audit, audit_chain, deliveries, installation, parties
from gateway.store.backups import open_backup
from gateway.store.keys import fingerprint_of, shown
from gateway.store.schema import differences, upgrade
from tests.integration.store.backed_up import Gateway, backed_up, rows_of, unheard
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.people import POLICY, Somebody
from tests.tampering import all_guards, guards


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_restored_gateway_has_every_row_and_every_blob(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    with filled.core.database.write("test") as connection:
        one_key.confirm(connection, filled.core.pseudonym_key, tmp_path / "key", now=filled.core.now())
    own = fingerprint_of(filled.core.pseudonym_key)
    OwnBlobs(filled.core.blobs, filled.core.database, "the old one", key_fingerprint=own).confirm()
    before = rows_of(filled.core.database)
    made = backed_up(filled.core, tmp_path / "backups")
    assert (
        stat.S_IMODE((tmp_path / "backups").stat().st_mode) == stat.S_IMODE(made.backup.folder.stat().st_mode) == 0o700
    )
    assert stat.S_IMODE((made.backup.folder / "pseudonym.key").stat().st_mode) == 0o600
    filled_tables = {name for name, rows in before.items() if rows}
    assert {"instance", "resource_version", "audit_seal", "outbox", "delivery", "document"} <= filled_tables

    empty.restored(open_backup(tmp_path / "backups"))
    after = rows_of(empty.database)
    added = {"audit", "audit_tail"}
    with empty.database.write("test") as connection:
        for clinic in parties.parties(connection, PartyKind.CLINIC):
            assert clinic.restored_at is not None
            parties.set_resumed(connection, clinic.id)
    [(*unchanged, mark, at)], [(*key, new_mark, recorded_at)] = before["installation"], after["installation"]
    assert ([*unchanged, at], mark) == ([*key, recorded_at], filled.core.blobs.identity())
    assert new_mark == empty.target.blobs.identity() != mark
    after |= {"party": rows_of(empty.database)["party"], "installation": before["installation"]}
    assert {name: rows for name, rows in after.items() if name not in added} == {
        name: rows for name, rows in before.items() if name not in added
    }
    assert [row for row in after["audit"] if row in before["audit"]] == before["audit"]
    assert differences(empty.database) == []
    assert guards(empty.database) == all_guards(empty.database)
    assert empty.target.key_path.read_bytes() == filled.core.pseudonym_key
    digests = list(filled.core.blobs.digests())
    assert list(empty.target.blobs.digests()) == digests
    assert all(empty.target.blobs.get(digest) for digest in digests)


def test_a_restored_gateway_goes_on(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    """What counts up goes on, also after what was destroyed, and the chain holds and is continued."""
    highest = max(row[0] for row in rows_of(filled.core.database)["instance"]) + 7
    with filled.core.database.write("test") as connection:
        now = filled.core.now()
        audit.record(connection, at=now, actor="test", action="instance.received", subject=f"instance/{highest}")
    backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    [ds] = ct_series(slices=1)
    receive(filled.core, filled.arrival(ds))
    assert max(row[0] for row in rows_of(empty.database)["instance"]) == highest + 1
    with empty.database.write("test") as connection:
        while audit_chain.seal(connection, now=filled.core.now()):
            pass
    with empty.database.read() as connection:
        found = audit_chain.verify(connection)
    assert (found.broken_at, found.unsealed) == (None, 0)
    filled.work()


def test_a_case_says_that_it_came_from_a_backup(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backed_up(filled.core, tmp_path / "backups")
    with filled.core.database.read() as connection:
        [case_id] = {one.case_id for one in deliveries.listed(connection)}
        assert audit.restored_at(connection, case_id) is None
    empty.restored(open_backup(tmp_path / "backups"))
    with empty.database.read() as connection:
        assert audit.restored_at(connection, case_id)
        assert {one.state for one in deliveries.listed(connection)} == {DeliveryState.PENDING}


def test_a_key_that_is_not_that_of_its_database_is_not_restored(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    with filled.core.database.write("test") as connection:
        one_key.confirm(connection, filled.core.pseudonym_key, tmp_path / "key", now=filled.core.now())
    backed_up(replace(filled.core, pseudonym_key=b"x" * 32), tmp_path / "backups")
    with pytest.raises(Invalid, match="not the one that its database was used with"):
        empty.restored(open_backup(tmp_path / "backups"))
    with empty.database.read() as connection:
        assert inspect(connection).get_table_names() == []


@pytest.mark.parametrize(
    "mark", [new_mark(fingerprint_of(b"x" * 32)), "0123-of-an-earlier-version"], ids=["another key", "no key"]
)
def test_nothing_is_restored_into_the_blob_store_of_another_installation(
    filled: Stage, empty: Gateway, tmp_path: Path, mark: str
) -> None:
    backed_up(filled.core, tmp_path / "backups")
    empty.target.blobs.mark(mark)
    with pytest.raises(Conflict, match=r"is the blob store of another installation .* name a bucket or a prefix"):
        empty.restored(open_backup(tmp_path / "backups"))
    assert list(empty.target.blobs.digests()) == []
    assert not empty.target.key_path.exists()


def test_a_gateway_is_restored_into_its_own_blob_store(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backed_up(filled.core, tmp_path / "backups")
    mark = empty.target.blobs.mark(new_mark(fingerprint_of(filled.core.pseudonym_key)))
    empty.restored(open_backup(tmp_path / "backups"))
    own = OwnBlobs(empty.target.blobs, empty.database, "its own", key_fingerprint=shown(filled.core.pseudonym_key))
    own.confirm()
    assert own.identity() == mark


def test_a_gateway_is_restored_into_the_store_that_its_earlier_version_marked(
    filled: Stage, empty: Gateway, tmp_path: Path
) -> None:
    """Such a mark does not say whose it is; the database in the backup knows."""
    mark = empty.target.blobs.mark("0123-of-an-earlier-version")
    with filled.core.database.write("test") as connection:
        one_key.confirm(connection, filled.core.pseudonym_key, tmp_path / "key", now=filled.core.now())
        installation.record_blob_store(connection, mark)
    backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    with empty.database.read() as connection:
        assert installation.blob_store(connection) == empty.target.blobs.identity() == mark


def test_a_store_that_another_installation_marks_meanwhile_is_not_restored_into(
    filled: Stage, empty: Gateway, tmp_path: Path
) -> None:
    backed_up(filled.core, tmp_path / "backups")
    marked = [""]

    class Marked:
        """Another one's mark comes between the look and the own mark."""

        def __getattr__(self, name: str) -> Any:
            return getattr(empty.target.blobs, name)

        def identity(self) -> str:
            return marked.pop() if marked else empty.target.blobs.mark(new_mark(fingerprint_of(b"x" * 32)))

        def mark(self, identity: str) -> str:
            return self.identity()

    target = replace(empty.target, blobs=Marked())
    with pytest.raises(Conflict, match="is the blob store of another installation"):
        restore(open_backup(tmp_path / "backups"), target, actor="test", advance=unheard)
    assert list(empty.target.blobs.digests()) == []


def test_what_is_not_empty_is_refused_and_stays_as_it_was(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = backed_up(filled.core, tmp_path / "backups").backup
    upgrade(empty.database)
    (tmp_path / "other").mkdir()
    Stage(empty.database, tmp_path / "other")
    before = rows_of(empty.database)
    with pytest.raises(Conflict, match="the gateway is not empty"):
        empty.restored(backup)
    assert rows_of(empty.database) == before
    assert not empty.target.key_path.exists()


def test_an_upgraded_empty_database_is_good_as_well(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = backed_up(filled.core, tmp_path / "backups").backup
    upgrade(empty.database)
    empty.restored(backup)
    assert rows_of(empty.database)["instance"] == rows_of(filled.core.database)["instance"]


def test_another_key_is_never_overwritten(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = backed_up(filled.core, tmp_path / "backups").backup
    path = empty.target.key_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 32)
    path.chmod(0o600)
    with pytest.raises(Conflict, match="another key"):
        empty.restored(backup)
    assert path.read_bytes() == b"x" * 32


def test_nobody_is_signed_in_by_a_backup(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    ayse = Somebody(filled.core)
    token = ayse.signs_in().signed_in.token
    backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    ayse.core = replace(filled.core, database=empty.database)
    assert sessions.recognise(ayse.core, POLICY, token) is None
    assert ayse.signs_in(code=ayse.recovery_codes[0]).signed_in.person.name == "ayse"
