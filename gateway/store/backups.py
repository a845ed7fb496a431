"""The files of a backup, and which of them belong together.

FOLDER/blobs/ab/<sha256>        what the backups in this folder share: a blob is copied once
FOLDER/<instant>/manifest.json  the last file written; without it there is no backup
FOLDER/<instant>/tables/        one file a table (`gateway.store.portable`)
FOLDER/<instant>/blobs.txt      the SHA-256 of every blob that a row refers to
FOLDER/<instant>/pseudonym.key
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.domain.blobs import Blobs
from gateway.domain.errors import Conflict, Invalid
from gateway.store.blobs import BlobDirectory
from gateway.store.disk import disk_errors, sync
from gateway.store.portable import TableFile, file_sha256

FORMAT = 1
KEY, BLOB_LIST, MANIFEST = "pseudonym.key", "blobs.txt", "manifest.json"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Manifest:
    """What a backup consists of. `revision` is that of the schema; `tables` are in the order in which they load."""

    made_at: datetime
    software: str
    revision: str
    tables: tuple[TableFile, ...]
    blobs: int
    blob_list_sha256: str
    key_sha256: str
    format: int = FORMAT


@dataclass(frozen=True)
class Backup:
    """One finished backup, its manifest found whole."""

    folder: Path
    manifest: Manifest

    @property
    def blobs(self) -> BlobDirectory:
        """Where its blobs are, among those of the other backups beside it."""
        return BlobDirectory(self.folder.parent / "blobs")

    def table(self, name: str) -> Path:
        """The file of one table."""
        return table_file(self.folder, name)

    def digests(self) -> list[str]:
        """Of its blobs. Raises Invalid when the list is damaged."""
        if file_sha256(self.folder / BLOB_LIST) != self.manifest.blob_list_sha256:
            raise Invalid("the backup's list of blobs is damaged")
        return (self.folder / BLOB_LIST).read_text(encoding="ascii").split()

    def key(self) -> bytes:
        """The secret key behind pseudonyms. Raises Invalid when it is damaged."""
        if file_sha256(self.folder / KEY) != self.manifest.key_sha256:
            raise Invalid("the key in the backup is damaged")
        return (self.folder / KEY).read_bytes()


def table_file(folder: Path, name: str) -> Path:
    """Where a backup has a table."""
    return folder / "tables" / f"{name}.jsonl.gz"


def open_backup(path: Path) -> Backup:
    """The backup in this folder, or the newest below it. Raises Invalid when there is none, or none that is whole."""
    if (path / MANIFEST).is_file():
        return Backup(path.absolute(), _manifest(path / MANIFEST))
    finished = sorted(file.parent for file in path.glob(f"*/{MANIFEST}") if not file.parent.name.startswith("."))
    if not finished:
        raise Invalid(f"there is no finished backup in {path}")
    return Backup(finished[-1].absolute(), _manifest(finished[-1] / MANIFEST))


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder to write a backup to, gone at the end unless `finish` has renamed it. Raises Conflict beside another."""
    with disk_errors(str(folder)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _for_itself(folder):
            for left_over in folder.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left_over)
            written = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
            (written / "tables").mkdir()
            try:
                yield written
            finally:
                shutil.rmtree(written, ignore_errors=True)


def finish(written: Path, manifest: Manifest) -> Backup:
    """Make every file durable, the manifest last, and give the folder its name."""
    body = _plain(manifest)
    (written / MANIFEST).write_text(json.dumps({"backup": body, "sha256": _digest(body)}, indent=1), encoding="utf-8")
    for path in [*written.rglob("*"), written]:
        sync(path)
    folder = written.with_name(f"{manifest.made_at:%Y%m%dT%H%M%S%fZ}")
    written.rename(folder)
    sync(folder.parent)
    return Backup(folder.absolute(), manifest)


def write_key(written: Path, key: bytes) -> str:
    """Keep the key, readable by its owner only; gives its SHA-256."""
    descriptor = os.open(written / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return hashlib.sha256(key).hexdigest()


def write_blob_list(written: Path, digests: Iterable[str]) -> tuple[int, str]:
    """Keep the list; gives its length and its SHA-256."""
    count = 0
    with (written / BLOB_LIST).open("x", encoding="ascii") as file:
        for digest in digests:
            file.write(f"{digest}\n")
            count += 1
    return count, file_sha256(written / BLOB_LIST)


def copy_blob(source: Blobs, digest: str, target: Blobs, *, by_way_of: Path) -> None:
    """Copy one blob, verified on the way; `by_way_of` is a folder on the target's file system. Raises as `stream`."""
    with disk_errors(str(by_way_of.parent)):
        by_way_of.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=by_way_of)
        growing = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in source.stream(digest):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            target.adopt(growing, digest)
        finally:
            growing.unlink(missing_ok=True)


@contextmanager
def _for_itself(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise Conflict(f"another backup is being written to {folder}") from exc
    finally:
        os.close(descriptor)


def _manifest(path: Path) -> Manifest:
    try:
        document = json.loads(path.read_bytes())
        body, digest = document["backup"], document["sha256"]
    except (ValueError, KeyError, TypeError) as exc:
        raise Invalid("the backup's manifest is damaged") from exc
    if _digest(body) != digest:
        raise Invalid("the backup's manifest is damaged")
    if body["format"] != FORMAT:
        raise Invalid("the backup was made by another version in a format that this one does not read")
    tables = tuple(
        TableFile(one["name"], tuple((name, kind) for name, kind in one["columns"]), one["rows"], one["sha256"])
        for one in body["tables"]
    )
    return Manifest(**body | {"made_at": datetime.fromisoformat(body["made_at"]), "tables": tables})


def _plain(manifest: Manifest) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(manifest) | {"made_at": manifest.made_at.isoformat()}))
    return plain


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
