"""A backup is whole or not there, and a gateway made of one goes on where it was, on either database."""

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select

from gateway.demo import resources as demo
from gateway.domain.blobs import Blobs
from gateway.domain.delivery import DeliveryState
from gateway.domain.errors import Conflict, GatewayError, Invalid, NotFound, NotYet, Permanent, Transient
from gateway.domain.party import PartyKind
from gateway.domain.resource import StoredResource
from gateway.domain.work import Job, JobKind
from gateway.services import delivery_control, documents, egress, listing, one_key, resuming
from gateway.services.backing_up import Advance, Made, create, verify
from gateway.services.core import Core
from gateway.services.intake import receive
from gateway.services.one_store import OwnBlobs, new_mark
from gateway.services.restoring import Target, restore
from gateway.services.story import case_story
from gateway.store import audit, cases, deliveries, outbox, parties, resources
from gateway.store.backups import MANIFEST, Backup, open_backup
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.keys import fingerprint_of, shown
from gateway.store.schema import differences, upgrade
from gateway.store.tables import audit as audit_rows
from gateway.store.tables import instance, metadata
from tests.integration.store.buckets import s3_blobs
from tests.integration.store.stage import Stage, update
from tests.peers.generated import ct_series
from tests.peers.moto import Moto
from tests.peers.postgres import Postgres

_numbers = count(1)


def unwatched(_total: int) -> AbstractContextManager[Advance]:
    return nullcontext(_unheard)


def _unheard(_count: int) -> None:
    """Nobody watches."""


def _backed_up(core: Core, folder: Path) -> Made:
    return create(core, folder, software="test", actor="test", watch=unwatched)


@dataclass
class Gateway:
    """An empty one."""

    target: Target

    def restored(self, backup: Backup) -> None:
        restore(backup, self.target, actor="test", advance=_unheard)

    @property
    def database(self) -> Database:
        return self.target.database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, stage: Stage) -> Iterator[Gateway]:
    """Its database has no tables yet."""
    folder = tmp_path / "restored"
    url, server, name = f"sqlite:///{folder / 'consilium.db'}", None, f"restored{next(_numbers)}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        assert isinstance(server, Postgres)
        url = server.create_database(name)
    database = Database(url)
    blobs = BlobDirectory(folder / "blobs")
    yield Gateway(Target(database, blobs, folder / "spool", folder / "keys" / "pseudonym.key", stage.core.now))
    database.dispose()
    if server:
        server.drop_database(name)


@pytest.fixture
def filled(stage: Stage) -> Stage:
    """A case whose study and document are on their way; something is sealed, something is not."""
    data = stage.case_data()
    stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    for ds in ct_series(slices=2, study_instance_uid=data.study_instance_uid, accession=data.accession_number):
        receive(stage.core, stage.arrival(ds))
    with stage.core.database.write("test") as connection:
        assert audit.seal(connection, now=stage.core.now(), limit=5) == 5
    stage.ahead += stage.core.quiet_period * 2
    stage.work()
    return stage


def _rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_restored_gateway_has_every_row_and_every_blob(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    with filled.core.database.write("test") as connection:
        one_key.confirm(connection, filled.core.pseudonym_key, tmp_path / "key", now=filled.core.now())
    own = fingerprint_of(filled.core.pseudonym_key)
    OwnBlobs(filled.core.blobs, filled.core.database, "the old one", key_fingerprint=own).confirm()
    before = _rows(filled.core.database)
    made = _backed_up(filled.core, tmp_path / "backups")
    assert (
        stat.S_IMODE((tmp_path / "backups").stat().st_mode) == stat.S_IMODE(made.backup.folder.stat().st_mode) == 0o700
    )
    assert stat.S_IMODE((made.backup.folder / "pseudonym.key").stat().st_mode) == 0o600
    filled_tables = {name for name, rows in before.items() if rows}
    assert {"instance", "resource_version", "audit_seal", "outbox", "delivery", "document"} <= filled_tables

    empty.restored(open_backup(tmp_path / "backups"))
    after = _rows(empty.database)
    added = {"audit", "audit_tail"}
    with empty.database.write("test") as connection:
        for clinic in parties.parties(connection, PartyKind.CLINIC):
            assert clinic.restored_at is not None
            parties.set_resumed(connection, clinic.id)
    [(*unchanged, mark, at)], [(*key, new_mark, recorded_at)] = before["installation"], after["installation"]
    assert ([*unchanged, at], mark) == ([*key, recorded_at], filled.core.blobs.identity())
    assert new_mark == empty.target.blobs.identity() != mark
    after |= {"party": _rows(empty.database)["party"], "installation": before["installation"]}
    assert {name: rows for name, rows in after.items() if name not in added} == {
        name: rows for name, rows in before.items() if name not in added
    }
    assert [row for row in after["audit"] if row in before["audit"]] == before["audit"]
    assert differences(empty.database) == []
    assert empty.target.key_path.read_bytes() == filled.core.pseudonym_key
    digests = list(filled.core.blobs.digests())
    assert list(empty.target.blobs.digests()) == digests
    assert all(empty.target.blobs.get(digest) for digest in digests)


def test_a_restored_gateway_goes_on(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    """What counts up goes on, also after what was destroyed, and the chain holds and is continued."""
    highest = max(row[0] for row in _rows(filled.core.database)["instance"]) + 7
    with filled.core.database.write("test") as connection:
        now = filled.core.now()
        audit.record(connection, at=now, actor="test", action="instance.received", subject=f"instance/{highest}")
    _backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    [ds] = ct_series(slices=1)
    receive(filled.core, filled.arrival(ds))
    assert max(row[0] for row in _rows(empty.database)["instance"]) == highest + 1
    with empty.database.write("test") as connection:
        while audit.seal(connection, now=filled.core.now()):
            pass
    with empty.database.read() as connection:
        found = audit.verify(connection)
    assert (found.broken_at, found.unsealed) == (None, 0)
    filled.work()


def test_a_case_says_that_it_came_from_a_backup(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    _backed_up(filled.core, tmp_path / "backups")
    with filled.core.database.read() as connection:
        [case_id] = {one.case_id for one in deliveries.listed(connection)}
        assert audit.restored_at(connection, case_id) is None
    empty.restored(open_backup(tmp_path / "backups"))
    with empty.database.read() as connection:
        assert audit.restored_at(connection, case_id)
        assert {one.state for one in deliveries.listed(connection)} == {DeliveryState.PENDING}


def test_nothing_leaves_a_restored_gateway_before_a_person_says_so(
    filled: Stage, empty: Gateway, tmp_path: Path
) -> None:
    """Nor what is opened after the restore; a consent that was revoked meanwhile is known by then."""
    _backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    core = filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    with core.database.read() as connection:
        [images] = deliveries.listed(connection)
        [document] = cases.documents(connection)
    delivery_control.retry(core, images.id, actor="test")  # the stage took its sending for done
    documents.approve(core, document.id, actor="nurse")
    left = _Exit(core)
    filled.work(send=left.send)
    with core.database.read() as connection:
        waiting = deliveries.listed(connection, case_id=images.case_id)
        jobs = [outbox.unsettled(connection, JobKind.DELIVERY_SEND, one.id) for one in waiting]
    assert len(waiting) == 2
    assert [(job.state, job.last_error) for job in jobs if job] == [("pending", f"NotYet: {left.why}")] * 2
    assert "has to send again" in left.why
    remedy = "consilium backup resume ankara"
    waits = case_story(core, images.case_id).waits
    assert [one.who for one in waits] == [f"the clinic ankara, and then an administrator: {remedy}"]
    assert all(remedy in one.waits_for for one in listing.delivery_lines(core, limit=9))

    for consent in _consents(core, images.case_id):
        filled.post(update(consent, status="inactive"))
    assert resuming.resume(core, ["ankara"], actor="administrator") == ["ankara"]
    filled.work(send=left.send)
    assert left.sent == []
    with core.database.read() as connection:
        assert {one.state for one in deliveries.listed(connection)} == {DeliveryState.HELD}


def test_what_waited_leaves_at_once_when_a_person_says_so(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    """Its deadline counts from then."""
    _backed_up(filled.core, tmp_path / "backups")
    empty.restored(open_backup(tmp_path / "backups"))
    core = filled.core = replace(filled.core, database=empty.database, blobs=empty.target.blobs)
    with core.database.read() as connection:
        [images] = deliveries.listed(connection)
    delivery_control.retry(core, images.id, actor="test")
    left = _Exit(core)
    filled.work(send=left.send)
    assert (left.sent, "has to send again" in left.why) == ([], True)
    filled.ahead += timedelta(seconds=filled.core.retry.deadline_s * 2)
    resuming.resume(core, [], actor="administrator")
    with core.database.read() as connection:
        job = outbox.unsettled(connection, JobKind.DELIVERY_SEND, images.id)
    assert job is not None
    assert job.created_at >= filled.core.now() - timedelta(minutes=1)
    filled.work(send=left.send)
    with core.database.read() as connection:
        said = connection.execute(select(audit_rows.c.actor).where(audit_rows.c.action == "backup.resumed"))
        assert said.scalars().all() == ["administrator"]
    assert left.sent == [images.id]
    with pytest.raises(Conflict, match="nothing is held back"):
        resuming.resume(core, ["ankara"], actor="administrator")


class _Exit:
    """Takes the place of a sending: notes what is granted, or why nothing is."""

    def __init__(self, core: Core) -> None:
        self.core, self.why = core, ""
        self.sent: list[str] = []

    def send(self, job: Job) -> None:
        try:
            if egress.grant(self.core, job.subject_id):
                self.sent.append(job.subject_id)
        except NotYet as exc:
            self.why = str(exc)
            raise


def _consents(core: Core, case_id: str) -> list[StoredResource]:
    with core.database.read() as connection:
        case = cases.by_id(connection, case_id)
        return resources.referring(connection, case.clinic_id, "Consent", case.patient_id)


def test_a_key_that_is_not_that_of_its_database_is_not_restored(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    with filled.core.database.write("test") as connection:
        one_key.confirm(connection, filled.core.pseudonym_key, tmp_path / "key", now=filled.core.now())
    _backed_up(replace(filled.core, pseudonym_key=b"x" * 32), tmp_path / "backups")
    with pytest.raises(Invalid, match="not the one that its database was used with"):
        empty.restored(open_backup(tmp_path / "backups"))
    with empty.database.read() as connection:
        assert inspect(connection).get_table_names() == []


def test_nothing_is_restored_into_the_blob_store_of_another_installation(
    filled: Stage, empty: Gateway, tmp_path: Path
) -> None:
    _backed_up(filled.core, tmp_path / "backups")
    empty.target.blobs.mark(new_mark(fingerprint_of(b"x" * 32)))
    with pytest.raises(Conflict, match="is that of another installation"):
        empty.restored(open_backup(tmp_path / "backups"))
    assert list(empty.target.blobs.digests()) == []
    assert not empty.target.key_path.exists()


def test_a_gateway_is_restored_into_its_own_blob_store(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    _backed_up(filled.core, tmp_path / "backups")
    mark = empty.target.blobs.mark(new_mark(fingerprint_of(filled.core.pseudonym_key)))
    empty.restored(open_backup(tmp_path / "backups"))
    own = OwnBlobs(empty.target.blobs, empty.database, "its own", key_fingerprint=shown(filled.core.pseudonym_key))
    own.confirm()
    assert own.identity() == mark


def test_what_is_not_empty_is_refused_and_stays_as_it_was(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = _backed_up(filled.core, tmp_path / "backups").backup
    upgrade(empty.database)
    (tmp_path / "other").mkdir()
    Stage(empty.database, tmp_path / "other")
    before = _rows(empty.database)
    with pytest.raises(Conflict, match="the gateway is not empty"):
        empty.restored(backup)
    assert _rows(empty.database) == before
    assert not empty.target.key_path.exists()


def test_an_upgraded_empty_database_is_good_as_well(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = _backed_up(filled.core, tmp_path / "backups").backup
    upgrade(empty.database)
    empty.restored(backup)
    assert _rows(empty.database)["instance"] == _rows(filled.core.database)["instance"]


def test_another_key_is_never_overwritten(filled: Stage, empty: Gateway, tmp_path: Path) -> None:
    backup = _backed_up(filled.core, tmp_path / "backups").backup
    path = empty.target.key_path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 32)
    path.chmod(0o600)
    with pytest.raises(Conflict, match="another key"):
        empty.restored(backup)
    assert path.read_bytes() == b"x" * 32


class Damaged:
    """Ways to damage a backup."""

    @staticmethod
    def manifest(backup: Backup) -> None:
        path = backup.folder / MANIFEST
        path.write_text(path.read_text().replace('"software": "test"', '"software": "tent"'))

    @staticmethod
    def table(backup: Backup) -> None:
        _flip(backup.table("instance"))

    @staticmethod
    def missing_table(backup: Backup) -> None:
        backup.table("case").unlink()

    @staticmethod
    def blob(backup: Backup) -> None:
        _flip(backup.blobs.path(backup.digests()[0]))

    @staticmethod
    def missing_blob(backup: Backup) -> None:
        backup.blobs.path(backup.digests()[-1]).unlink()

    @staticmethod
    def key(backup: Backup) -> None:
        _flip(backup.folder / "pseudonym.key")

    @staticmethod
    def blob_list(backup: Backup) -> None:
        path = backup.folder / "blobs.txt"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("way", [name for name in vars(Damaged) if not name.startswith("_")])
def test_a_damaged_backup_is_refused(way: str, tmp_path: Path, stage_on_sqlite: Stage) -> None:
    stage = stage_on_sqlite
    data = stage.case_data()
    stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    [ds] = ct_series(slices=1)
    receive(stage.core, stage.arrival(ds))
    folder = _backed_up(stage.core, tmp_path / "backups").backup.folder
    verify(open_backup(folder), _unheard)
    getattr(Damaged, way)(open_backup(folder))
    with pytest.raises(Invalid):
        verify(open_backup(folder), _unheard)
    database = Database(f"sqlite:///{tmp_path}/restored.db")
    key_path = tmp_path / "restored.key"
    target = Target(database, BlobDirectory(tmp_path / "r"), tmp_path / "spool2", key_path, stage.core.now)
    with pytest.raises(Invalid):
        restore(open_backup(folder), target, actor="test", advance=_unheard)
    assert not key_path.exists()
    assert list(target.blobs.digests()) == []
    database.dispose()


@pytest.fixture
def stage_on_sqlite(tmp_path: Path, empty_database_file: Path) -> Iterator[Stage]:
    shutil.copyfile(empty_database_file, tmp_path / "alone.db")
    database = Database(f"sqlite:///{tmp_path}/alone.db")
    yield Stage(database, tmp_path)
    database.dispose()


class Meanwhile:
    """Blobs of which one is gone when it is to be copied for the first time."""

    def __init__(self, blobs: Blobs, happens: Callable[[str], None]) -> None:
        self._blobs, self._happens, self._has_happened = blobs, happens, False

    def stream(self, digest: str) -> Iterator[bytes]:
        if not self._has_happened:
            self._has_happened = True
            self._happens(digest)
        return self._blobs.stream(digest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


def _with_document(stage: Stage) -> Stage:
    stage.post(demo.clinic_bundle(stage.case_data(), b"%PDF-1.7 a pathology report"))
    return stage


def test_a_blob_that_is_destroyed_meanwhile_makes_the_backup_begin_anew(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    [ds] = ct_series(slices=1)
    arrival = stage.arrival(ds)
    receive(stage.core, arrival)

    def destroyed(_digest: str) -> None:
        with stage.core.database.write("test") as connection:
            connection.execute(instance.delete())
        directory = stage.core.blobs
        assert directory.remove_stale(arrival.blob_sha256, before=float("inf"))

    watched = Meanwhile(stage.core.blobs, destroyed)
    made = _backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    verify(made.backup, _unheard)
    assert arrival.blob_sha256 not in made.backup.digests()
    assert [path.name for path in (tmp_path / "backups").iterdir() if path.name != "blobs"] == [made.backup.folder.name]


def test_a_blob_that_is_missing_is_no_backup(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    [digest] = stage.core.blobs.digests()
    assert stage.core.blobs.remove_stale(digest, before=float("inf"))
    with pytest.raises(Permanent, match="missing from the store"):
        _backed_up(stage.core, tmp_path / "backups")
    _no_backup_in(tmp_path / "backups")


def test_a_damaged_blob_is_no_backup(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    [digest] = stage.core.blobs.digests()
    assert isinstance(stage.core.blobs, BlobDirectory)
    _flip(stage.core.blobs.path(digest))
    with pytest.raises(Transient, match="damaged"):
        _backed_up(stage.core, tmp_path / "backups")
    _no_backup_in(tmp_path / "backups")


def _no_backup_in(folder: Path) -> None:
    with pytest.raises(Invalid, match="no finished backup"):
        open_backup(folder)
    assert [path.name for path in folder.iterdir()] == ["blobs"]


def test_what_a_killed_backup_left_is_no_backup_and_goes(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage, folder = _with_document(stage_on_sqlite), tmp_path / "backups"
    left = folder / ".unfinished-left"
    (left / "tables").mkdir(parents=True)
    (left / MANIFEST).write_text(json.dumps({}))
    with pytest.raises(Invalid, match="no finished backup"):
        open_backup(folder)
    _backed_up(stage.core, folder)
    assert not left.exists()


def test_a_second_backup_copies_only_what_is_new(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage, folder = _with_document(stage_on_sqlite), tmp_path / "backups"
    first = _backed_up(stage.core, folder)
    [ds] = ct_series(slices=1)
    receive(stage.core, stage.arrival(ds))
    second = _backed_up(stage.core, folder)
    assert (first.copied_blobs, second.copied_blobs, second.backup.manifest.blobs) == (1, 1, 2)
    assert open_backup(folder).folder == second.backup.folder
    assert open_backup(first.backup.folder).manifest == first.backup.manifest
    verify(open_backup(first.backup.folder), _unheard)


def test_two_backups_do_not_write_to_one_folder_at_once(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    refused: list[GatewayError] = []

    def second(_digest: str) -> None:
        try:
            _backed_up(stage.core, tmp_path / "backups")
        except Conflict as exc:
            refused.append(exc)

    watched = Meanwhile(stage.core.blobs, second)
    _backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    assert len(refused) == 1


def test_a_backup_is_one_moment(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    """What arrives while the blobs are copied is in the next one."""
    stage = _with_document(stage_on_sqlite)
    [ds] = ct_series(slices=1)
    arrival = stage.arrival(ds)
    watched = Meanwhile(stage.core.blobs, lambda _digest: receive(stage.core, arrival))
    made = _backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    assert made.backup.manifest.blobs == 1
    with pytest.raises(NotFound):
        made.backup.blobs.get(arrival.blob_sha256)


def test_a_backup_moves_blobs_from_a_folder_into_a_bucket_and_back(
    stage_on_sqlite: Stage, moto: Moto, tmp_path: Path
) -> None:
    stage = _with_document(stage_on_sqlite)
    first = _backed_up(stage.core, tmp_path / "backups").backup
    database = Database(f"sqlite:///{tmp_path}/restored.db")
    bucket = s3_blobs(moto.create_bucket(), tmp_path / "restored", turn=database.turn)
    key_path = tmp_path / "restored.key"
    restore(
        first,
        Target(database, bucket, tmp_path / "restored" / "spool", key_path, stage.core.now),
        actor="test",
        advance=_unheard,
    )
    assert list(bucket.digests()) == list(stage.core.blobs.digests())
    second = _backed_up(replace(stage.core, database=database, blobs=bucket), tmp_path / "others").backup
    verify(second, _unheard)
    assert second.digests() == first.digests()
    database.dispose()
