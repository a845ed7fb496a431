"""A backup is one moment, and whole or not there."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import resources as demo
from gateway.domain.blobs import Blobs
from gateway.domain.errors import Conflict, GatewayError, Invalid, NotFound, Permanent, Transient
from gateway.services.backing_up import verify
from gateway.services.intake import receive
from gateway.services.restoring import Target, restore
from gateway.store.backups import MANIFEST, Backup, open_backup
from gateway.store.blobs import BlobDirectory
from gateway.store.engine import Database
from gateway.store.tables import instance
from tests.integration.store.backed_up import backed_up, unheard
from tests.integration.store.buckets import s3_blobs
from tests.integration.store.stage import Stage
from tests.peers.generated import ct_series
from tests.peers.moto import Moto


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
    folder = backed_up(stage.core, tmp_path / "backups").backup.folder
    verify(open_backup(folder), unheard)
    getattr(Damaged, way)(open_backup(folder))
    with pytest.raises(Invalid):
        verify(open_backup(folder), unheard)
    database = Database(f"sqlite:///{tmp_path}/restored.db")
    key_path = tmp_path / "restored.key"
    target = Target(database, BlobDirectory(tmp_path / "r"), tmp_path / "spool2", key_path, stage.core.now)
    with pytest.raises(Invalid):
        restore(open_backup(folder), target, actor="test", advance=unheard)
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
        assert directory.remove_stale(arrival.blob_sha256, before_s=float("inf"))

    watched = Meanwhile(stage.core.blobs, destroyed)
    made = backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    verify(made.backup, unheard)
    assert arrival.blob_sha256 not in made.backup.digests()
    assert [path.name for path in (tmp_path / "backups").iterdir() if path.name != "blobs"] == [made.backup.folder.name]


def test_a_blob_that_is_missing_is_no_backup(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    [digest] = stage.core.blobs.digests()
    assert stage.core.blobs.remove_stale(digest, before_s=float("inf"))
    with pytest.raises(Permanent, match="missing from the store"):
        backed_up(stage.core, tmp_path / "backups")
    _no_backup_in(tmp_path / "backups")


def test_a_damaged_blob_is_no_backup(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    [digest] = stage.core.blobs.digests()
    assert isinstance(stage.core.blobs, BlobDirectory)
    _flip(stage.core.blobs.path(digest))
    with pytest.raises(Transient, match="damaged"):
        backed_up(stage.core, tmp_path / "backups")
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
    backed_up(stage.core, folder)
    assert not left.exists()


def test_a_second_backup_copies_only_what_is_new(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage, folder = _with_document(stage_on_sqlite), tmp_path / "backups"
    first = backed_up(stage.core, folder)
    [ds] = ct_series(slices=1)
    receive(stage.core, stage.arrival(ds))
    second = backed_up(stage.core, folder)
    assert (first.copied_blobs, second.copied_blobs, second.backup.manifest.blobs) == (1, 1, 2)
    assert open_backup(folder).folder == second.backup.folder
    assert open_backup(first.backup.folder).manifest == first.backup.manifest
    verify(open_backup(first.backup.folder), unheard)


def test_two_backups_do_not_write_to_one_folder_at_once(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    stage = _with_document(stage_on_sqlite)
    refused: list[GatewayError] = []

    def second(_digest: str) -> None:
        try:
            backed_up(stage.core, tmp_path / "backups")
        except Conflict as exc:
            refused.append(exc)

    watched = Meanwhile(stage.core.blobs, second)
    backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    assert len(refused) == 1


def test_a_backup_is_one_moment(stage_on_sqlite: Stage, tmp_path: Path) -> None:
    """What arrives while the blobs are copied is in the next one."""
    stage = _with_document(stage_on_sqlite)
    [ds] = ct_series(slices=1)
    arrival = stage.arrival(ds)
    watched = Meanwhile(stage.core.blobs, lambda _digest: receive(stage.core, arrival))
    made = backed_up(replace(stage.core, blobs=watched), tmp_path / "backups")
    assert made.backup.manifest.blobs == 1
    with pytest.raises(NotFound):
        made.backup.blobs.get(arrival.blob_sha256)


def test_a_backup_moves_blobs_from_a_folder_into_a_bucket_and_back(
    stage_on_sqlite: Stage, moto: Moto, tmp_path: Path
) -> None:
    stage = _with_document(stage_on_sqlite)
    first = backed_up(stage.core, tmp_path / "backups").backup
    database = Database(f"sqlite:///{tmp_path}/restored.db")
    bucket = s3_blobs(moto.create_bucket(), tmp_path / "restored", turn=database.turn)
    key_path = tmp_path / "restored.key"
    restore(
        first,
        Target(database, bucket, tmp_path / "restored" / "spool", key_path, stage.core.now),
        actor="test",
        advance=unheard,
    )
    assert list(bucket.digests()) == list(stage.core.blobs.digests())
    second = backed_up(replace(stage.core, database=database, blobs=bucket), tmp_path / "others").backup
    verify(second, unheard)
    assert second.digests() == first.digests()
    database.dispose()
